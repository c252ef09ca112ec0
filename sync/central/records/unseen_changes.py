"""Changes of a patient since a kiosk's last pull, which the kiosk cannot know."""

from collections.abc import Mapping

import msgspec

from sync.central.records.visits import is_without_visit
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import UNREAD, Question, ReadTransaction, WriteTransaction
from sync.journey.model import VisitId


class _OwnVersions(msgspec.Struct, frozen=True):
    """The versions above `base_version` of one patient's journey that the actions of one kiosk led to."""

    base_version: int
    versions: frozenset[int]


def own_changes_since(db: ReadTransaction, patient_id: str, kiosk_id: str, base_version: int) -> int:
    """The number of versions above `base_version` of a patient's journey that the kiosk's own actions led to.

    `base_version` is the journey_version that the kiosk last pulled.
    """
    known = db.known(_OWN, (patient_id, kiosk_id))
    if known is not UNREAD and base_version >= known.base_version:
        return sum(version > base_version for version in known.versions)
    count: int = db.value(
        "select count(distinct changed_version) from verdicts where patient_id = :patient_id"
        " and kiosk_id = :kiosk_id and changed_version > :base_version",
        patient_id=patient_id,
        kiosk_id=kiosk_id,
        base_version=base_version,
    )
    return count


def read_own_changes_ahead(db: SetTransaction, kiosk_id: str, base_versions: Mapping[str, int]) -> None:
    """Reads the versions above the base of each of these patients."""
    asked = ", ".join(f"(:patient{place}, :base{place})" for place in range(len(base_versions)))
    parameters: dict[str, object] = {}
    for place, (patient_id, base_version) in enumerate(base_versions.items()):
        parameters |= {f"patient{place}": patient_id, f"base{place}": base_version}
    rows = db.rows(
        f"select v.patient_id, v.changed_version from (values {asked}) as asked join verdicts v"  # noqa: S608
        " on v.patient_id = asked.column1 and v.kiosk_id = :kiosk_id and v.changed_version > asked.column2",
        **parameters,
        kiosk_id=kiosk_id,
    )
    versions: dict[str, set[int]] = {}
    for row in rows:
        versions.setdefault(row["patient_id"], set()).add(row["changed_version"])
    answers = {
        (patient_id, kiosk_id): _OwnVersions(base_version, frozenset(versions.get(patient_id, ())))
        for patient_id, base_version in base_versions.items()
    }
    db.read_ahead(_OWN, answers)


def note_own_change(db: WriteTransaction, patient_id: str | None, kiosk_id: str, version: int | None) -> None:
    """Notes that an action of a kiosk has led to a version of a patient's journey, once its verdict is written."""
    if patient_id is None or version is None:
        return
    known = db.known(_OWN, (patient_id, kiosk_id))
    if known is not UNREAD:
        db.learn(_OWN, (patient_id, kiosk_id), _OwnVersions(known.base_version, known.versions | {version}))


def unseen_visit_since(
    db: ReadTransaction, patient_id: str, kiosk_id: str, base_version: int, day: str, arrived_ms: int
) -> VisitId | None:
    """The first visit of a site day that another sender opened above `base_version`, and that was open at the arrival.

    `arrived_ms` is the trusted time of arrival. It is 0 where no clock can be trusted; every visit counts as open then.
    """
    if is_without_visit(db, patient_id, day):
        return None
    row = db.row(
        "select visit_id from visits where patient_id = :patient_id and site_day = :day"
        " and opened_version > :base_version and (closed_ms is null or closed_ms >= :arrived_ms)"
        " and visit_id not in (select visit_id from verdicts where patient_id = :patient_id"
        " and kiosk_id = :kiosk_id and visit_id is not null) order by ordinal limit 1",
        patient_id=patient_id,
        kiosk_id=kiosk_id,
        base_version=base_version,
        day=day,
        arrived_ms=arrived_ms,
    )
    return VisitId(row["visit_id"]) if row else None


_OWN: Question[tuple[str, str], _OwnVersions] = Question()  # by patient and kiosk
