"""What was done in a visit besides the acts of one kiosk, and how the visit stood before them."""

from collections.abc import Collection
from dataclasses import dataclass

from sync.central.store.transactions import ReadTransaction, any_of
from sync.journey.model import BuiltIn, Trigger


@dataclass(frozen=True, slots=True)
class StepsOfVisit:
    """The states of a visit's history before the first of some actions and after the last row, without day's ends.

    `first_action` is the first of these actions that the history has.
    """

    first_action: str
    before_state: str
    last_state: str


def others_judged(db: ReadTransaction, patient_id: str, visit_ids: Collection[str], kiosk_id: str, since: int) -> bool:
    """Whether another kiosk's action in one of these visits got a verdict since then (UTC ms), and waits no more.

    An action that was itself taken back does not count.
    """
    names, parameters = any_of("visit", visit_ids)
    row = db.row(
        "select 1 from verdicts v where patient_id = :patient_id and kiosk_id <> :kiosk_id"  # noqa: S608
        f" and visit_id in {names} and recorded_ms >= :since and verdict <> 'needs_staff'"
        f" and {_STANDS.format('v.verdict_id')} limit 1",
        **parameters,
        patient_id=patient_id,
        kiosk_id=kiosk_id,
        since=since,
    )
    return row is not None


def others_wrote(db: ReadTransaction, visit_id: str, kiosk_id: str, since: int) -> bool:
    """Whether the history of a visit has a row since then (UTC ms) that neither the kiosk, a day's end nor a taking
    back left. An action that was itself taken back does not count.
    """
    row = db.row(
        "select 1 from transitions t where visit_id = :visit_id and source <> :kiosk_id"  # noqa: S608
        " and recorded_ms >= :since and trigger_type <> :day_end and action <> :take_back"
        f" and {_STANDS.format('t.action_id')} limit 1",
        visit_id=visit_id,
        kiosk_id=kiosk_id,
        since=since,
        day_end=Trigger.SYSTEM_AUTO.value,
        take_back=BuiltIn.TAKE_BACK.value,
    )
    return row is not None


def steps_of_visit(db: ReadTransaction, visit_id: str, action_ids: Collection[str]) -> StepsOfVisit | None:
    """The steps of a visit around some actions; None where its history has none of them."""
    rows = db.rows(
        "select action_id, from_state, to_state from transitions where visit_id = :visit_id"
        " and trigger_type <> :day_end order by change, position",
        visit_id=visit_id,
        day_end=Trigger.SYSTEM_AUTO.value,
    )
    first = next((row for row in rows if row["action_id"] in action_ids), None)
    if first is None:
        return None
    return StepsOfVisit(first["action_id"], first["from_state"], rows[-1]["to_state"])


_STANDS = (
    "not exists (select 1 from effects e where e.verdict_id = {} and e.ended_ms is not null and e.exception_id is null)"
)
