"""Changes of a patient since a kiosk's last pull: those of its own actions, and visits that it cannot know of."""

from __future__ import annotations

from sync.central.records.unseen_changes import own_changes_since, unseen_visit_since
from sync.central.records.verdicts import VerdictRecord, add_verdict
from sync.central.records.visits import add_visit
from sync.central.store.transactions import WriteTransaction
from sync.protocol import Code, Verdict
from tests.sync.central.centre import DAY, Centre


def verdict(db: WriteTransaction, name: str, version: int | None, kiosk_id: str = "K", visit_id: str = "v0") -> None:
    record = VerdictRecord(
        name, kiosk_id, 1, Verdict.APPLIED, Code.OK, patient_id="P01", visit_id=visit_id, changed_version=version
    )
    add_verdict(db, record, 0)


def unseen_visit(db: WriteTransaction, base_version: int, arrived_ms: int = 0) -> str | None:
    return unseen_visit_since(db, "P01", "K", base_version, DAY, arrived_ms)


def test_a_kiosks_own_changes_are_counted_by_version_after_its_last_pull(centre: Centre):
    with centre.store.write() as db:
        for name, version in (("a", 1), ("b", 2), ("c", 2), ("d", 3), ("e", None)):
            verdict(db, name, version)
        verdict(db, "f", 4, kiosk_id="other")
        assert [own_changes_since(db, "P01", "K", base) for base in (0, 2, 3)] == [3, 1, 0]


def test_the_first_visit_that_others_opened_since_is_unseen(centre: Centre):
    with centre.store.write() as db:
        for number, visit_id in enumerate(("v1", "v2", "v3"), 1):
            add_visit(db, visit_id, "P01", DAY, 10, number)
        verdict(db, "a", 2, visit_id="v2")
        assert unseen_visit(db, 0) == "v1"
        assert unseen_visit(db, 1) == "v3", "the kiosk itself was in the second"
        assert unseen_visit(db, 3) is None


def test_a_visit_that_was_over_at_the_arrival_does_not_count(centre: Centre):
    with centre.store.write() as db:
        add_visit(db, "v1", "P01", DAY, 10, 1, closed_ms=50)
        assert unseen_visit(db, 0, arrived_ms=50) == "v1"
        assert unseen_visit(db, 0, arrived_ms=51) is None
        assert unseen_visit(db, 0) == "v1", "an arrival that cannot be trusted rules nothing out"


def test_a_visit_of_another_day_or_patient_does_not_count(centre: Centre):
    with centre.store.write() as db:
        add_visit(db, "v1", "P01", "2026-03-01", 10, 1)
        add_visit(db, "v2", "P02", DAY, 10, 1)
        assert unseen_visit(db, 0) is None
