"""The order of the staff's views: the queue in the order of calls, a history in the order of time."""

from __future__ import annotations

from typing import Any

from sync.central.services.queue import QueuePage, Search, history, search_queue
from tests.sync.central.centre import Centre, patient

TO_WAITING = ("scan_nfc", "register", "confirm_arrival")


def waiting(centre: Centre, number: int, exam_id: str, priority: int, opened_ms: int) -> str:
    """A patient in the line of an exam; their entry."""
    (entry,) = centre.walk(patient(number), *TO_WAITING)["queue_details"]
    queue_id: str = entry["queue_id"]
    with centre.store.write() as db:
        db.execute(
            "update entries set exam_id = :exam_id, priority = :priority, opened_ms = :opened_ms"
            " where queue_id = :queue_id",
            {"exam_id": exam_id, "priority": priority, "opened_ms": opened_ms, "queue_id": queue_id},
        )
    return queue_id


def listed(centre: Centre, **search: Any) -> list[str]:
    """The entries of the staff's list, in its order."""
    page = search_queue(centre.parts, Search(**search))
    assert isinstance(page, QueuePage)
    return [row.queue_id for row in page.entries]


def test_the_queue_is_in_the_order_in_which_its_patients_will_be_called(centre: Centre):
    now = centre.clock()
    late, early, urgent, twin, other_exam = (
        waiting(centre, 1, "xray", priority=0, opened_ms=now + 9_000),
        waiting(centre, 2, "xray", priority=0, opened_ms=now + 1_000),
        waiting(centre, 3, "xray", priority=5, opened_ms=now + 5_000),
        waiting(centre, 4, "xray", priority=0, opened_ms=now + 9_000),
        waiting(centre, 6, "blood", priority=0, opened_ms=now + 20_000),
    )
    assert late < twin, "of equal entries the id decides"
    assert listed(centre) == [other_exam, urgent, early, late, twin]
    assert listed(centre, exam_id="xray") == [urgent, early, late, twin]
    assert listed(centre, state="waiting") == [other_exam, urgent, early, late, twin]


def test_a_history_is_in_the_order_in_which_it_happened_within_one_change_too(centre: Centre):
    """Staff called the patient before the arrival was confirmed again, so that one action leaves two rows."""
    one = patient(5)  # without a booking, so that the arrival joins the open entry
    centre.walk(one, *TO_WAITING)
    with centre.store.write() as db:
        db.execute("update entries set state = 'called'")
        db.execute("update journeys set state = 'REGISTERED' where patient_id = :id", {"id": one})
    centre.walk(one, "confirm_arrival")
    found = history(centre.parts, one)
    assert isinstance(found, dict)
    assert [(row["action"], row["to_state"]) for row in found["transitions"]] == [
        ("scan_nfc", "ARRIVED"),
        ("register", "REGISTERED"),
        ("confirm_arrival", "WAITING"),
        ("confirm_arrival", "WAITING"),
        ("queue_sync", "CALLED"),
    ]
