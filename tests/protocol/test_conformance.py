"""The conformance suite: the duties of each client of the protocol at the real centre, on a real port.

The kiosk's agent passes it, and so does a second client that was written from docs/protocol.md alone.
"""

from __future__ import annotations

import ast
from pathlib import Path

from sync.central.conflicts.gather import judging_context
from sync.central.conflicts.rejudge import rejudge_card
from sync.central.maintenance.backup import back_up
from sync.central.operations.catalog import operations
from sync.central.records.bindings import bind
from sync.central.records.journeys import mark_changed
from sync.central.records.kiosks import revoke_kiosk
from sync.ids import new_id
from tests.protocol import second_client
from tests.protocol.subjects import Make, Second, Site, verdicts_of
from tests.sync.central.wire import BY_STAFF, cards_of, uid


def test_an_enrolled_client_knows_the_holder_of_a_card(make: Make):
    subject = make()
    assert (subject.holder(uid("P1")), subject.holder(b"none")) == ("P1", None)
    assert subject.state("P1") == "UNREGISTERED"


def test_a_check_in_is_judged_and_the_client_holds_the_centres_journey(make: Make, site: Site):
    subject = make()
    ids = subject.check_in(uid("P1"))
    subject.push()
    assert verdicts_of(subject, ids) == [("applied", "ok")] * 3
    assert subject.state("P1") == "WAITING" == site.centre.journey("P1").state
    assert site.centre.journey("P1").entries[0].queue_number.endswith("-001")


def test_a_lost_answer_does_not_check_in_twice(make: Make, site: Site):
    subject = make()
    ids = subject.check_in(uid("P1"))
    subject.push()
    once = site.centre.journey("P1")
    subject.forget_answers()
    subject.push()
    assert verdicts_of(subject, ids) == [("applied", "ok")] * 3
    assert site.centre.journey("P1") == once


def test_a_visit_opened_elsewhere_is_one_visit(make: Make, site: Site):
    first, second = make(), make()
    ids = [first.check_in(uid("P1")), second.check_in(uid("P1"))]
    first.push()
    second.push()
    assert verdicts_of(second, ids[1]) == [
        ("merged", "visit_alias"),
        ("merged", "already_so"),
        ("merged", "already_so"),
    ]
    assert len(site.centre.journey("P1").entries[0].label_aliases) == 1
    second.pull()
    assert second.state("P1") == "WAITING"


def test_a_patient_without_a_booking_is_looked_up_and_stays_known(make: Make, site: Site):
    subject = make()
    assert subject.holder(uid("P3")) is None
    subject.look_up(uid("P3"))
    assert subject.holder(uid("P3")) == "P3"
    subject.pull()
    assert subject.holder(uid("P3")) == "P3"
    ids = subject.check_in(uid("P3"))
    subject.push()
    assert verdicts_of(subject, ids) == [("applied", "ok")] * 3
    assert site.centre.journey("P3").state == "WAITING"


def test_a_card_of_nobody_is_looked_up_and_stays_unknown(make: Make):
    subject = make()
    subject.look_up(uid("nobody"))
    assert subject.holder(uid("nobody")) is None


def test_an_unknown_card_waits_for_staff_and_gets_a_new_verdict_after_it_is_bound(make: Make, site: Site):
    subject = make()
    action_id = subject.scan(uid("new"))
    subject.push()
    assert subject.verdict(action_id) == ("needs_staff", "unknown_card")
    with site.centre.store.write() as db:
        bind(db, "P3", cards_of("new"), new_id(), site.centre.time(), BY_STAFF)
        mark_changed(db, "P3")
        rejudge_card(
            db, judging_context(db, site.centre.definitions, new_id, site.centre.time()), cards_of("new"), "desk"
        )
    subject.pull()
    assert subject.verdict(action_id) == ("applied", "ok")
    assert (subject.holder(uid("new")), subject.state("P3")) == ("P3", "ARRIVED")


def test_a_card_that_was_reported_lost_opens_nobody(make: Make, site: Site):
    subject = make()
    for card in ("P1", "new"):
        assert not subject.blocked(uid(card))
        assert site.centre.block_card(card).done
    subject.pull()
    assert [(subject.blocked(uid(card)), subject.holder(uid(card))) for card in ("P1", "new")] == [(True, None)] * 2
    assert site.centre.unblock_card("new").done
    subject.pull()
    assert (subject.blocked(uid("P1")), subject.blocked(uid("new"))) == (True, False)


def test_a_card_that_was_reported_lost_meanwhile_waits_for_staff(make: Make, site: Site):
    subject = make()
    ids = [subject.scan(uid(card)) for card in ("P1", "new")]
    for card in ("P1", "new"):
        assert site.centre.block_card(card).done
    subject.push()
    assert verdicts_of(subject, ids) == [("needs_staff", "blocked_card")] * 2
    assert subject.holder(uid("P1")) is None, "before the next pull"


def test_a_chain_that_does_not_fit_goes_on_under_a_new_epoch(make: Make, site: Site):
    subject = make()
    first = subject.scan(uid("P1"))
    subject.push()
    subject.break_chain()
    second = subject.scan(uid("P2"))
    subject.push()
    assert verdicts_of(subject, [first, second]) == [("applied", "ok")] * 2
    assert site.centre.open_cases() == ["fork"]


def test_a_restored_centre_is_sent_the_actions_that_it_misses(make: Make, site: Site, tmp_path: Path):
    subject = make()
    ids = [subject.scan(uid("P1"))]
    subject.push()
    back_up(site.centre.store, tmp_path / "backup.db")
    ids.append(subject.scan(uid("P2")))
    subject.push()
    site.restore(tmp_path / "backup.db")
    subject.pull()
    assert subject.pending() >= 1  # the actions that the backup lacks, or all that the client keeps
    subject.push()
    assert verdicts_of(subject, ids) == [("applied", "ok")] * 2
    assert [site.centre.journey(each).state for each in ("P1", "P2")] == ["ARRIVED", "ARRIVED"]
    assert site.centre.open_cases() == []


def test_a_client_proves_that_a_centre_was_set_back(make: Make, site: Site):
    subject = make()
    with site.centre.store.read() as db:
        before = db.latest_change()
    assert site.centre.staff("scan_nfc", "P3").done
    subject.pull()
    with site.centre.store.write() as db:
        db.set_counter("change", before)
        (first,) = db.row("select server_incarnation from incarnation")
    subject.pull()
    (row,) = site.centre.rows("select server_incarnation from incarnation")
    assert row["server_incarnation"] != first
    assert site.centre.open_cases() == []


def test_a_revoked_kiosk_keeps_its_actions_for_the_next_enrolment(make: Make, site: Site):
    subject = make()
    ids = subject.check_in(uid("P1"))
    with site.centre.store.write() as db:
        assert revoke_kiosk(db, "kiosk-1", site.centre.time())
    assert subject.pull_is_refused() == "ended"
    assert (subject.holder(uid("P1")), subject.pending()) == (None, 3)
    subject.enrol(site)
    subject.pull()
    subject.push()
    assert verdicts_of(subject, ids) == [("applied", "ok")] * 3


def test_the_second_client_renews_its_token_and_is_not_refused_later(tmp_path: Path, site: Site):
    subject = Second(tmp_path)
    subject.enrol(site)
    operations(site.centre.parts)["kiosk-renew"]({})
    for _ in range(2):
        subject.pull()
    site.centre.time.pass_minutes(6)
    subject.pull()
    tokens = site.centre.rows("select replaced_ms from tokens where kiosk_id is not null order by created_ms, used_ms")
    assert sorted(row["replaced_ms"] is None for row in tokens) == [False, True]
    assert site.centre.open_cases() == []


def test_a_merged_record_is_followed(make: Make, site: Site):
    subject = make()
    ids = subject.check_in(uid("P2"))
    assert site.centre.merge("P1", "P2").done
    subject.push()
    subject.pull()
    assert verdicts_of(subject, ids) == [("applied", "ok")] * 3
    assert (subject.holder(uid("P2")), subject.state("P1"), subject.state("P2")) == ("P1", "WAITING", None)


def test_the_second_client_is_small_and_uses_none_of_our_code():
    text = Path(second_client.__file__).read_text("utf-8")
    assert len(text.splitlines()) < 350
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert not [name for name in imported if name.split(".")[0] in {"sync", "kiosk", "hardware", "tests", "msgspec"}]
