"""The rows of a merge of two patients: they go to the patient who is kept, and the other id becomes an alias."""

from sync.central.store.transactions import WriteTransaction
from sync.journey.model import Journey

_TABLES = (
    "bindings",
    "appointments",
    "entries",
    "transitions",
    "entry_history",
    "corrections",
    "effects",
    "presses",
    "tokens",
    "shadow_words",
)
_LOOSE_TABLES = ("patient_aliases", "actions", "exceptions")  # their patient_id need not be a known patient


def end_merged_visit(db: WriteTransaction, visit_id: str, now_ms: int) -> None:
    """Closes a visit, and records that it was under way together with a visit of the other record."""
    db.execute("insert into merged_visits values (:id, :now_ms)", {"id": visit_id, "now_ms": now_ms})
    db.execute("update visits set closed_ms = :now_ms where visit_id = :id", {"id": visit_id, "now_ms": now_ms})


def move_rows(db: WriteTransaction, kept: str, gone: str, version: int) -> None:
    """Gives every row of the patient `gone` to the patient `kept`, except for the journey and the patient's own row.

    `version` is the journey_version after the merge.
    """
    both = {"kept": kept, "gone": gone}
    # A day's visits are counted, so the other record's visits come after the patient's own. No kiosk has seen one of
    # them as a visit of this patient yet.
    db.execute(
        "update visits set patient_id = :kept,"
        " opened_version = case when opened_version = 0 then 0 else :version end, ordinal = ordinal"
        " + (select coalesce(max(v.ordinal), 0) from visits v"
        " where v.patient_id = :kept and v.site_day = visits.site_day) where patient_id = :gone",
        {**both, "version": version},
    )
    for table in (*_TABLES, *_LOOSE_TABLES):
        db.execute(f"update {table} set patient_id = :kept where patient_id = :gone", both)  # noqa: S608
    # A kiosk that looked the one up today holds the other from now on.
    db.execute(
        "insert into roster_guests select :kept, site_day from roster_guests where patient_id = :gone"
        " on conflict (patient_id) do update set site_day = case when roster_guests.site_day > excluded.site_day"
        " then roster_guests.site_day else excluded.site_day end",
        both,
    )
    db.execute("delete from roster_guests where patient_id = :gone", both)
    # Those verdicts led to versions of a journey that no longer exists.
    db.execute("update verdicts set patient_id = :kept, changed_version = null where patient_id = :gone", both)


def replace_by_alias(db: WriteTransaction, kept: str, gone: str, now_ms: int) -> None:
    """Deletes the patient `gone`, makes the id an alias of `kept`, and announces that."""
    change = db.next_change()
    db.execute("delete from journeys where patient_id = :gone", {"gone": gone})
    db.execute("delete from patients where patient_id = :gone", {"gone": gone})
    db.execute(
        "insert into patient_aliases values (:gone, :kept, :now_ms, :change)",
        {"gone": gone, "kept": kept, "now_ms": now_ms, "change": change},
    )
    db.announce(change, gone)


def write_merged_journey(db: WriteTransaction, patient_id: str, journey: Journey, version: int) -> None:
    """Gives a patient the state, the visit, the leg and the current entry of `journey`, and the journey_version."""
    db.execute(
        "update journeys set state = :state, visit_id = :visit_id, leg = :leg, current_queue_id = :current_queue_id,"
        " journey_version = :version where patient_id = :patient_id",
        {
            "state": journey.state,
            "visit_id": journey.visit_id,
            "leg": journey.leg,
            "current_queue_id": journey.current_queue_id,
            "version": version,
            "patient_id": patient_id,
        },
    )
