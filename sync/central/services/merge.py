"""Two records of one person become one: everything of the second goes to the first, its id is an alias from then on.

Written in one transaction. Where both are on a visit, that of the first goes on; the other ends, its place in line
stays as a further entry of the same patient, and what kiosks still send of it is for staff, who get a case.
"""

from collections.abc import Callable

from sync.central.records.cases import TWO_VISITS, NewCase, open_case
from sync.central.records.journeys import mark_changed, open_journey
from sync.central.services.journey_service import closing
from sync.central.store.transactions import WriteTransaction
from sync.journey.definitions import Definitions
from sync.journey.model import Journey, PatientId

_TABLES = ("bindings", "appointments", "entries", "transitions", "entry_history", "corrections", "tokens")
_NAMES = ("patient_aliases", "actions", "exceptions")  # where an id stands that need not be a patient's


def merge(
    db: WriteTransaction,
    definitions: Definitions,
    kept: PatientId,
    gone: PatientId,
    today: str,
    now_ms: int,
    ids: Callable[[], str],
) -> int:
    """Makes `gone` another name of `kept`; both are patients, and not the same. Returns the change number."""
    before = open_journey(db, definitions, kept, today, closing(now_ms))
    other = open_journey(db, definitions, gone, today, closing(now_ms))
    assert before is not None
    assert other is not None
    if before.visit_id is not None and other.visit_id is not None:
        _split(db, kept, before, other, now_ms, ids())
    version = max(before.journey_version, other.journey_version) + 1
    _hand_over(db, kept, gone, version)
    change = db.next_change()
    db.execute("delete from journeys where patient_id = :gone", {"gone": gone})
    db.execute("delete from patients where patient_id = :gone", {"gone": gone})
    db.execute(
        "insert into patient_aliases values (:gone, :kept, :now_ms, :change)",
        {"gone": gone, "kept": kept, "now_ms": now_ms, "change": change},
    )
    db.announce(change, gone)
    _take_up(db, before, other, version)
    return mark_changed(db, kept)


def _split(
    db: WriteTransaction, kept: PatientId, before: Journey, other: Journey, now_ms: int, exception_id: str
) -> None:
    db.execute("insert into merged_visits values (:id, :now_ms)", {"id": other.visit_id, "now_ms": now_ms})
    db.execute("update visits set closed_ms = :now_ms where visit_id = :id", {"id": other.visit_id, "now_ms": now_ms})
    detail = {
        "visits": [before.visit_id, other.visit_id],
        "journey_states": [before.state, other.state],
        "patient_ids": [before.patient_id, other.patient_id],
    }
    open_case(db, exception_id, NewCase(TWO_VISITS, None, detail, kept, visit_id=other.visit_id), now_ms)


def _hand_over(db: WriteTransaction, kept: PatientId, gone: PatientId, version: int) -> None:
    both = {"kept": kept, "gone": gone}
    # A day's visits are counted, so those of the other record come after the patient's own; and no kiosk has seen one
    # of them yet as a visit of this patient.
    db.execute(
        "update visits set patient_id = :kept, opened_version = :version, ordinal = ordinal"
        " + (select coalesce(max(v.ordinal), 0) from visits v"
        " where v.patient_id = :kept and v.site_day = visits.site_day) where patient_id = :gone",
        {**both, "version": version},
    )
    for table in (*_TABLES, *_NAMES):
        db.execute(f"update {table} set patient_id = :kept where patient_id = :gone", both)  # noqa: S608
    # The versions that they led to are of a journey that is no more.
    db.execute("update verdicts set patient_id = :kept, changed_version = null where patient_id = :gone", both)


def _take_up(db: WriteTransaction, before: Journey, other: Journey, version: int) -> None:
    """The journey after it: on the visit that was under way, above every version that a kiosk may hold of either."""
    on = other if before.visit_id is None and other.visit_id is not None else before
    # The entries and the bookings are the patient's already, whosever they were; the visit row too.
    db.execute(
        "update journeys set state = :state, visit_id = :visit_id, leg = :leg, current_queue_id = :current_queue_id,"
        " journey_version = :version where patient_id = :kept",
        {
            "state": on.state,
            "visit_id": on.visit_id,
            "leg": on.leg,
            "current_queue_id": on.current_queue_id,
            "version": version,
            "kept": before.patient_id,
        },
    )
