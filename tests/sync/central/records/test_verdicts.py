"""The verdict in force of an action, and the place under which a kiosk knows that action."""

from __future__ import annotations

from msgspec.structs import replace

from sync.central.records.verdicts import VerdictRecord, add_verdict, latest_verdict, revised_verdicts
from sync.ids import new_id
from sync.protocol import Code, Verdict
from tests.sync.central.centre import Centre

FIRST = VerdictRecord(new_id(), "K1", 1, Verdict.NEEDS_STAFF, Code.NOT_ALLOWED)


def test_the_verdict_with_the_highest_revision_is_in_force(centre: Centre):
    last = replace(FIRST, verdict=Verdict.APPLIED, code=Code.OK, revision=2, change=900)
    with centre.store.write() as db:
        for record in (replace(FIRST, revision=1, change=800), last, FIRST):
            add_verdict(db, record, 0)
    with centre.store.read() as db:
        assert latest_verdict(db, FIRST.verdict_id) == last
        assert [each.record for each in revised_verdicts(db, "K1", 0, 10)] == [last]


def test_a_revised_verdict_names_the_last_place_in_which_the_kiosk_sent_the_action(centre: Centre):
    with centre.store.write() as db:
        add_verdict(db, replace(FIRST, revision=1, change=900), 0)
        for epoch, seq in ((1, 9), (3, 2), (3, 4), (2, 7)):
            db.execute(
                "insert into receipts values ('K1', :epoch, :seq, 'hash', :id)",
                {"epoch": epoch, "seq": seq, "id": FIRST.verdict_id},
            )
    with centre.store.read() as db:
        (revised,) = revised_verdicts(db, "K1", 0, 10)
    assert revised.seq == 4
