"""What the actions of kiosks have changed, as rows: the way back for each action that had an effect."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from sync.central.records.visits import EarlierArrival
from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction, WriteTransaction, Writing, any_of
from sync.journey.model import PatientId
from sync.journey.take_back import Before


class Changed(msgspec.Struct, frozen=True):
    """What one action changed. Every part that it did not change is None or False.

    - `before`: the journey, of its own day or of the visit's ended day.
    - `is_money`: money has moved. `by_staff`: staff made the action count.
    - `visit_alias`, `patient_alias`: the other names that it gave to a visit and to a patient.
    - `arrival`: the time of arrival of the visit, where the action named an earlier one.
    """

    before: Before | None = None
    is_money: bool = False
    by_staff: bool = False
    visit_alias: str | None = None
    patient_alias: str | None = None
    arrival: EarlierArrival | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether the action changed nothing."""
        return self.before is None and self.visit_alias is None and self.patient_alias is None


class Effect(msgspec.Struct, frozen=True):
    """The effect of one action. `verdict_id` is that of its verdict, `visit_id` the visit, aliases resolved.

    `seq` is the action's number in the chain of its kiosk.
    """

    verdict_id: str
    kiosk_id: str
    patient_id: PatientId
    visit_id: str | None
    changed: Changed
    seq: int
    recorded_ms: int


@dataclass(frozen=True, slots=True)
class EndedEffect:
    """An effect with its end (UTC ms; None: in force), and the case in which staff decide on it, if any."""

    effect: Effect
    ended_ms: int | None
    exception_id: str | None


@dataclass(frozen=True, slots=True)
class Period:
    """The acts of a kiosk that the centre received from `since_ms` on, and up to `until_ms` where that is not None."""

    kiosk_id: str
    since_ms: int
    until_ms: int | None = None


def add_effect(db: WriteTransaction, effect: Effect, ended_ms: int | None = None) -> None:
    """Records the effect of an action. One with `ended_ms` is in force no longer."""
    db.write(
        _ADD,
        {
            "verdict_id": effect.verdict_id,
            "kiosk_id": effect.kiosk_id,
            "patient_id": effect.patient_id,
            "visit_id": effect.visit_id,
            "changed": msgspec.json.encode(effect.changed).decode(),
            "seq": effect.seq,
            "now_ms": effect.recorded_ms,
            "ended_ms": ended_ms,
        },
    )


def patients_with_effects(db: ReadTransaction, period: Period, after: str, limit: int) -> list[PatientId]:
    """The patients whom acts of a period concern, and of whom something is in force: `limit` ids after the id `after`.

    In the order of the ids.
    """
    rows = db.rows(
        f"select distinct patient_id from effects where {_IN_FORCE} and patient_id > :after"  # noqa: S608
        " order by patient_id limit :limit",
        **_parameters(period),
        after=after,
        limit=limit,
    )
    return [PatientId(row["patient_id"]) for row in rows]


def effects_on(db: ReadTransaction, period: Period, patient_id: str) -> list[Effect]:
    """The effects of a period on one patient that are in force, the oldest first."""
    rows = db.rows(
        f"select * from effects where {_IN_FORCE} and patient_id = :patient_id"  # noqa: S608
        " order by recorded_ms",
        **_parameters(period),
        patient_id=patient_id,
    )
    return sorted((_effect(row) for row in rows), key=_order)


def read_effect(db: ReadTransaction, verdict_id: str) -> EndedEffect | None:
    """The effect of an action, and what became of it; None for an action without one."""
    row = db.row("select * from effects where verdict_id = :verdict_id", verdict_id=verdict_id)
    return EndedEffect(_effect(row), row["ended_ms"], row["exception_id"]) if row else None


def undone_versions(db: ReadTransaction, patient_id: str, site_day: str) -> set[int]:
    """The versions of a patient's journey of a day before each change that was taken back, and before each taking
    back. Presses of staff that were undone are among them.
    """
    rows = db.rows(
        "select * from effects where patient_id = :patient_id and ended_ms is not null and exception_id is null",
        patient_id=patient_id,
    )
    changes = (_effect(row).changed.before for row in rows)
    undone = {change.journey_version for change in changes if change and change.site_day == site_day}
    presses = db.rows(
        "select from_version, undone_version from presses where patient_id = :patient_id and site_day = :site_day"
        " and undone_ms is not null and from_version is not null",
        patient_id=patient_id,
        site_day=site_day,
    )
    return undone.union(*(tuple(row) for row in presses))


def end_effects(db: WriteTransaction, verdict_ids: Sequence[str], now_ms: int, exception_id: str | None) -> None:
    """Notes that effects are in force no longer: taken back, or left to staff in a case."""
    names, parameters = any_of("verdict", verdict_ids)
    db.execute(
        f"update effects set ended_ms = :now_ms, exception_id = :exception_id where verdict_id in {names}",  # noqa: S608
        {**parameters, "now_ms": now_ms, "exception_id": exception_id},
    )


_ADD = Writing(
    "insert into effects values (:verdict_id, :kiosk_id, :patient_id, :visit_id, :changed, :seq, :now_ms,"
    " :ended_ms, null)"
)
_changed = msgspec.json.Decoder(Changed)
_IN_FORCE = (
    "kiosk_id = :kiosk_id and ended_ms is null and recorded_ms >= :since_ms"
    " and (cast(:until_ms as bigint) is null or recorded_ms <= :until_ms)"
)


def _parameters(period: Period) -> dict[str, object]:
    return {"kiosk_id": period.kiosk_id, "since_ms": period.since_ms, "until_ms": period.until_ms}


def _effect(row: Row) -> Effect:
    return Effect(
        row["verdict_id"],
        row["kiosk_id"],
        PatientId(row["patient_id"]),
        row["visit_id"],
        _changed.decode(row["changed"]),
        row["seq"],
        row["recorded_ms"],
    )


def _order(effect: Effect) -> tuple[int, int, int]:
    """Several actions of one push have one time. The versions of the journey tell the order, or else their numbers."""
    before = effect.changed.before
    return effect.recorded_ms, before.journey_version if before else 0, effect.seq
