"""What a kiosk did, as the rows say it: its actions with their verdicts, and the cases about it, in order of time."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from sync.central.records.effects import Period
from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction


class ActKind(StrEnum):
    """A kind of row in the list of acts."""

    ACTION = "action"
    CASE = "case"


@dataclass(frozen=True, slots=True)
class ActPlace:
    """A place in the list: when the centre received the action or opened the case (UTC ms), and its id."""

    at_ms: int
    act_id: str
    kind: ActKind = ActKind.ACTION


@dataclass(frozen=True, slots=True)
class ActionAct:
    """An action of a kiosk: its type and its times (UTC ms). None where no row tells it."""

    action: str | None
    happened_ms: int | None


@dataclass(frozen=True, slots=True)
class EntryAct:
    """What an action did to a queue entry. `previous` is None where the action opened it."""

    queue_id: str
    queue_number: str
    previous: str | None
    new: str


def acts(db: ReadTransaction, period: Period, after: ActPlace | None, limit: int) -> list[ActPlace]:
    """The acts of a kiosk in a period, oldest first: `limit` of them after the place `after`, or from the first."""
    rows = db.rows(
        "select * from (select recorded_ms as at_ms, verdict_id as act_id, 'action' as kind from verdicts v"
        " where kiosk_id = :kiosk_id and not exists (select 1 from verdicts w where w.verdict_id = v.verdict_id"
        " and w.revision < v.revision) union all select opened_ms, exception_id, 'case' from exceptions"
        " where kiosk_id = :kiosk_id) as found where at_ms >= :since_ms"
        " and (cast(:until_ms as bigint) is null or at_ms <= :until_ms)"
        " and (at_ms, act_id) > (:after_ms, :after) order by at_ms, act_id limit :limit",
        kiosk_id=period.kiosk_id,
        since_ms=period.since_ms,
        until_ms=period.until_ms,
        after_ms=after.at_ms if after else -1,
        after=after.act_id if after else "",
        limit=limit,
    )
    return [ActPlace(row["at_ms"], row["act_id"], ActKind(row["kind"])) for row in rows]


def count_without_effect(db: ReadTransaction, period: Period) -> int:
    """The number of actions of a kiosk in a period that changed nothing."""
    return int(
        db.value(
            "select count(distinct verdict_id) from verdicts v where kiosk_id = :kiosk_id and recorded_ms >= :since_ms"
            " and (cast(:until_ms as bigint) is null or recorded_ms <= :until_ms)"
            " and not exists (select 1 from effects e where e.verdict_id = v.verdict_id)",
            kiosk_id=period.kiosk_id,
            since_ms=period.since_ms,
            until_ms=period.until_ms,
        )
    )


def place_of_act(db: ReadTransaction, kiosk_id: str, act_id: str) -> ActPlace | None:
    """The place of an act of this kiosk in the list; None for any other id."""
    row = db.row(
        "select min(recorded_ms) as at_ms from verdicts where verdict_id = :act_id and kiosk_id = :kiosk_id"
        " having count(*) > 0 union all select opened_ms from exceptions"
        " where exception_id = :act_id and kiosk_id = :kiosk_id",
        act_id=act_id,
        kiosk_id=kiosk_id,
    )
    return ActPlace(row["at_ms"], act_id) if row else None


def read_action(db: ReadTransaction, verdict_id: str, patient_id: str | None) -> ActionAct:
    """An action by the id of its verdict, about a patient or about nobody who is known."""
    known = db.row("select action_type from actions where action_id = :id", id=verdict_id)
    done = db.row(
        "select happened_ms from transitions where patient_id = :patient_id and action_id = :id limit 1",
        patient_id=patient_id,
        id=verdict_id,
    )
    happened_ms = done["happened_ms"] if done else _told_ms(db, verdict_id)
    return ActionAct((known["action_type"] or None) if known else None, happened_ms)


def entry_acts(db: ReadTransaction, patient_id: str, action_id: str) -> list[EntryAct]:
    """The states that an action gave to the entries of a patient."""
    rows = db.rows(
        "select h.queue_id, e.queue_number, h.previous, h.new from entries e join entry_history h"
        " on h.queue_id = e.queue_id where e.patient_id = :patient_id and h.action_id = :action_id"
        " and (h.previous is null or h.previous <> h.new) order by h.change, h.position",
        patient_id=patient_id,
        action_id=action_id,
    )
    return [EntryAct(*row) for row in rows]


def _told_ms(db: ReadTransaction, action_id: str) -> int | None:
    """When an action happened that moved nothing, as the case about it says."""
    row: Row | None = db.row("select detail from exceptions where action_id = :id limit 1", id=action_id)
    detail: dict[str, Any] = msgspec.json.decode(row["detail"]) if row else {}
    return detail.get("happened_ms")
