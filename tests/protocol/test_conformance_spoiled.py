"""The conformance suite with faults: the duties of each client when the centre, the wire or a disk fails."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Response

from sync.central.maintenance.backup import back_up
from sync.central.records.journeys import mark_changed
from sync.central.records.kiosks import revoke_kiosk
from sync.protocol import MAX_BATCH_BYTES, canonical
from tests.protocol.subjects import Json, Make, Site, Subject, refusal, verdicts_of
from tests.sync.central.wire import uid

MAX_PUSH = 320 * 1024
OK = ("applied", "ok")
DAY_IN_MINUTES = 24 * 60


def drain(subject: Subject, most: int = 60) -> None:
    """Pushes until nothing is pending, without the waits."""
    for _ in range(most):
        if subject.push_once() is None:
            return
    raise AssertionError("the outbox does not drain")


def ids_in(message: Json) -> list[str]:
    return [action["body"]["action_id"] for action in message["actions"] if action["body"]]


# Refusals.


def test_a_part_of_the_chain_that_the_centre_misses_is_sent_again(make: Make, site: Site):
    subject = make()
    ids = [subject.scan(uid("P1"))]
    subject.push()
    once = site.centre.journey("P1")
    site.lose_chains()
    ids.append(subject.scan(uid("P2")))
    subject.push()
    assert site.between.seqs() == [[1], [2], [1, 2]]
    assert [[action.get("held") is not None for action in push] for push in site.between.pushed()][-1] == [True, False]
    assert verdicts_of(subject, ids) == [OK] * 2
    assert (site.centre.journey("P1"), site.centre.open_cases()) == (once, [])


def test_a_missing_action_that_is_lost_does_not_hold_back_the_rest(make: Make, site: Site):
    subject = make()
    first = subject.scan(uid("P1"))
    subject.push()
    site.lose_chains()
    subject.lose(first)
    second = subject.scan(uid("P2"))
    drain(subject)
    assert site.between.seqs() == [[1], *[[2]] * 4, [1]], "asked for three times, then a new epoch"
    assert site.between.pushed("epoch")[-1] == 2
    assert (subject.verdict(second), site.centre.open_cases()) == (OK, ["gap"])


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(lambda: refusal(503, code="try_later", error="busy", retry_after_s=7), id="in the body"),
        pytest.param(lambda: refusal(503, 7, code="try_later", error="busy"), id="in the header"),
        pytest.param(lambda: Response("<h1>Bad Gateway</h1>", 502, {"Retry-After": "7"}), id="of a proxy"),
    ],
)
def test_a_client_that_shall_try_later_waits_and_retires_nothing(make: Make, site: Site, refused: Any):
    subject = make()
    action_id = subject.scan(uid("P1"))
    site.between.instead = lambda call, message: refused()
    assert subject.push_once() == 7
    assert (subject.pending(), subject.verdict(action_id)) == (1, None)
    site.between.instead = lambda call, message: None
    drain(subject)
    assert subject.verdict(action_id) == OK
    assert site.between.seqs() == [[1], [1]]


def test_a_centre_that_does_not_speak_the_clients_version_costs_time_and_no_action(make: Make, site: Site):
    subject = make()
    site.speak(3)
    ids = subject.check_in(uid("P1"))
    assert subject.pull_is_refused().startswith("unsupported_version")
    for _ in range(3):
        assert subject.push_once() is not None
    assert (subject.pending(), verdicts_of(subject, ids)) == (3, [None] * 3)
    assert subject.holder(uid("P1")) == "P1", "nothing is forgotten"
    site.speak(2, 3)
    drain(subject)
    assert verdicts_of(subject, ids) == [OK] * 3
    assert {message["protocol_version"] for call, message in site.between.asked if call != "enroll"} == {2}


# Batches.


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(lambda: refusal(500, code="internal", error="internal error"), id="it failed"),
        pytest.param(lambda: refusal(400, code="malformed", error="?"), id="malformed"),
        pytest.param(lambda: Response("", 504), id="no answer of the protocol"),
    ],
)
def test_a_batch_that_is_too_large_is_halved_until_it_passes(make: Make, site: Site, refused: Any):
    subject = make()
    ids = [*subject.check_in(uid("P1")), *subject.check_in(uid("P2"))]
    site.between.instead = lambda call, message: refused() if len(message.get("actions", ())) > 2 else None
    drain(subject)
    sizes = [len(push) for push in site.between.pushed()]
    assert sizes[0] == 6
    assert sum(size for size in sizes if size <= 2) == 6, "each passed once"
    assert verdicts_of(subject, ids) == [OK] * 6


def test_an_action_that_is_always_refused_is_sent_unread_and_the_others_go_on(make: Make, site: Site):
    subject = make()
    ids = [subject.scan(uid(card)) for card in ("P1", "P2", "new")]
    site.between.instead = lambda call, message: (
        refusal(400, code="malformed", error="?") if ids[1] in ids_in({"actions": [], **message}) else None
    )
    drain(subject)
    assert verdicts_of(subject, ids) == [OK, OK, ("needs_staff", "unknown_card")], "it can be read after all"
    pushes = site.between.pushed()
    alone = [push for push in pushes if len(push) == 1 and ids_in({"actions": push}) == [ids[1]]]
    unread = [action for push in pushes for action in push if action.get("opaque")]
    assert (len(alone), len(unread)) == (2, 1)
    record = base64.b64decode(unread[0]["opaque"]["body"])
    assert record == canonical(alone[0][0]["body"])
    assert unread[0]["hash"] == alone[0][0]["hash"]
    assert unread[0]["opaque"]["action_id"] == ids[1]
    following = next(push for push in pushes if ids_in({"actions": push})[:1] == [ids[2]])[0]
    assert following["hash"] == hashlib.sha256(unread[0]["hash"].encode() + canonical(following["body"])).hexdigest()


def test_actions_that_are_too_large_for_one_push_go_in_several(make: Make, site: Site):
    subject = make()
    # In Hangul: a spelling that escapes it would take twice as much room.
    ids = [each for number in range(12) for each in subject.answer(uid(f"new-{number}"), "가" * 9_000)]
    subject.push()
    assert None not in verdicts_of(subject, ids)
    assert len(site.between.pushed()) == 2
    for push in site.between.pushed():
        assert sum(len(canonical(action["body"])) for action in push) <= MAX_BATCH_BYTES
    assert 200_000 < site.between.largest <= MAX_PUSH


# Pages.


def test_a_page_that_does_not_begin_at_the_cursor_is_discarded(make: Make, site: Site):
    subject = make()
    assert site.centre.staff("scan_nfc", "P1").done
    site.between.change = lambda call, page: page | {"from_cursor": page["from_cursor"] + 1}
    subject.pull_once()
    assert subject.state("P1") == "UNREGISTERED"
    site.between.change = lambda call, page: page
    subject.pull()
    assert subject.state("P1") == "ARRIVED"


def test_a_cursor_that_the_centre_does_not_know_for_its_own_is_followed_by_a_snapshot(make: Make, site: Site):
    subject = make()
    action_id = subject.scan(uid("P1"))
    site.between.change = lambda call, page: page | {"cursor": page["cursor"] + 10**6}
    assert site.centre.staff("scan_nfc", "P2").done
    subject.pull_once()
    site.between.change = lambda call, page: page
    assert site.centre.staff("scan_nfc", "P3").done
    subject.pull()
    assert (subject.state("P3"), subject.pending(), site.centre.open_cases()) == ("ARRIVED", 1, ["bad_cursor"])
    subject.push()
    assert subject.verdict(action_id) == OK


def test_a_late_row_does_not_set_back_a_journey_that_a_verdict_has_told(make: Make, site: Site):
    def earlier_version(_: str, page: Json) -> Json:
        for row in page["patients"]:
            row["journey"] |= {"state": "UNREGISTERED", "visit_id": None, "journey_version": 0}
        return page

    subject = make()
    subject.scan(uid("P1"))
    subject.push()
    with site.centre.store.write() as db:
        mark_changed(db, "P1")
    site.between.change = earlier_version
    subject.pull_once()
    assert site.between.asked[-1][0] == "pull"
    assert (subject.state("P1"), subject.holder(uid("P1"))) == ("ARRIVED", "P1")


def test_a_reset_forgets_all_patients_except_those_with_pending_actions(make: Make, site: Site):
    subject = make()
    action_id = subject.scan(uid("P1"))
    assert (subject.holder(uid("P2")), subject.state("P2")) == ("P2", "UNREGISTERED")
    site.centre.time.pass_minutes(DAY_IN_MINUTES)
    subject.pull()
    assert (subject.holder(uid("P1")), subject.holder(uid("P2"))) == (None, None), "the next day has no bookings"
    assert (subject.state("P1") is not None, subject.state("P2"), subject.pending()) == (True, None, 1)
    subject.push()
    subject.pull()
    assert subject.verdict(action_id) == ("applied", "late")
    assert subject.state("P1") is None


def test_a_reset_keeps_the_blocked_cards_that_it_names_and_lifts_the_others(make: Make, site: Site):
    subject = make()
    for card in ("P1", "new"):
        assert site.centre.block_card(card).done
    subject.pull()

    def half_of_it(_: str, page: Json) -> Json:
        return page | {"blocked": [], "more": True}

    site.centre.time.pass_minutes(DAY_IN_MINUTES)
    with site.centre.store.write() as db:  # the client never hears of this change
        db.execute("update card_blocks set end_ms = 1 where change = (select max(change) from card_blocks)")
    site.between.change = half_of_it
    subject.pull_once()
    assert [subject.blocked(uid(card)) for card in ("P1", "new")] == [True, True], "the snapshot is not complete"
    assert site.centre.unblock_card("P1").done
    assert site.centre.block_card("P1").done
    site.between.change = lambda call, page: page
    subject.pull()
    assert [subject.blocked(uid(card)) for card in ("P1", "new")] == [True, False]


def test_pending_actions_go_on_in_the_visit_that_was_opened_elsewhere_first(make: Make, site: Site):
    first, second = make(), make()
    first.scan(uid("P1"))
    ids = second.answer(uid("P1"), "-")
    first.push()
    site.between.instead = lambda call, message: refusal(500) if len(message.get("actions", ())) > 1 else None
    while second.verdict(ids[0]) is None:
        second.push_once()
    assert verdicts_of(second, ids) == [("merged", "visit_alias"), None]
    assert second.pending_visits() == {site.centre.journey("P1").visit_id}
    drain(second)
    assert second.verdict(ids[1]) == OK


def test_pending_actions_of_a_merged_record_keep_the_other_one_in_the_roster(make: Make, site: Site):
    subject = make()
    ids = subject.check_in(uid("P2"))
    assert site.centre.merge("P1", "P2").done
    subject.pull()
    site.centre.time.pass_minutes(DAY_IN_MINUTES)
    subject.pull()
    assert (subject.state("P1") is not None, subject.state("P2"), subject.pending()) == (True, None, 3)
    subject.push()
    subject.pull()
    assert verdicts_of(subject, ids) == [("applied", "late")] * 3
    assert subject.state("P1") is None


# Restores.


def test_after_a_restore_a_base_goes_back_to_the_centres_journey(make: Make, site: Site, tmp_path: Path):
    subject = make()
    back_up(site.centre.store, tmp_path / "backup.db")
    ids = subject.check_in(uid("P1"))
    subject.push()
    assert subject.state("P1") == "WAITING"
    site.restore(tmp_path / "backup.db")
    subject.pull()
    assert (subject.state("P1"), subject.pending()) == ("UNREGISTERED", 3)
    subject.push()
    assert (subject.state("P1"), verdicts_of(subject, ids)) == ("WAITING", [OK] * 3)


def test_a_restore_to_before_an_earlier_epoch_makes_its_actions_pending_too(make: Make, site: Site, tmp_path: Path):
    subject = make()
    back_up(site.centre.store, tmp_path / "backup.db")
    ids = [subject.scan(uid("P1"))]
    subject.push()
    subject.break_chain()
    ids.append(subject.scan(uid("P2")))
    subject.push()
    site.restore(tmp_path / "backup.db")
    subject.pull()
    assert subject.pending() == 2
    subject.push()
    assert verdicts_of(subject, ids) == [OK] * 2
    assert [site.centre.journey(each).state for each in ("P1", "P2")] == ["ARRIVED", "ARRIVED"]


def test_a_restore_to_within_a_later_epoch_makes_the_earlier_ones_actions_pending_too(
    make: Make, site: Site, tmp_path: Path
):
    subject = make()
    ids = [subject.scan(uid("P1"))]
    subject.push()
    subject.break_chain()
    ids.append(subject.scan(uid("P2")))
    subject.push()
    back_up(site.centre.store, tmp_path / "backup.db")
    ids.append(subject.scan(uid("new")))
    subject.push()
    site.restore(tmp_path / "backup.db")
    subject.pull()
    assert subject.pending() == 3
    subject.push()
    assert verdicts_of(subject, ids) == [OK, OK, ("needs_staff", "unknown_card")]
    assert site.between.pushed("epoch")[-2:] == [3, 4], "under its own epoch + 1, and then under the one after"


def revoke(site: Site, kiosk_id: str) -> None:
    with site.centre.store.write() as db:
        assert revoke_kiosk(db, kiosk_id, site.centre.time())


def test_judged_actions_are_not_sent_in_the_first_epoch_of_another_enrolment(make: Make, site: Site):
    subject = make()
    ids = [subject.scan(uid("P1"))]
    subject.push()
    ids.append(subject.scan(uid("P2")))
    revoke(site, "kiosk-1")
    assert subject.pull_is_refused() == "ended"
    subject.enrol(site)
    subject.pull()
    subject.push()
    assert verdicts_of(subject, ids) == [OK] * 2
    assert site.between.seqs() == [[1], [1]]
    assert site.centre.open_cases() == []


def test_another_enrolment_learns_what_staff_decide_about_earlier_actions(make: Make, site: Site):
    subject = make()
    action_id = subject.scan(uid("new"))
    subject.push()
    revoke(site, "kiosk-1")
    subject.enrol(site)
    subject.pull()
    subject.push()
    assert subject.verdict(action_id) == ("needs_staff", "unknown_card")
    assert site.centre.settle("reassign", patient_id="P1").done
    subject.pull()
    assert subject.verdict(action_id) == OK


def test_a_restore_to_before_the_first_enrolment_loses_none_of_its_actions(make: Make, site: Site, tmp_path: Path):
    back_up(site.centre.store, tmp_path / "backup.db")
    subject = make()
    ids = [subject.scan(uid("P1"))]
    subject.push()
    revoke(site, "kiosk-1")
    subject.enrol(site)
    subject.pull()
    ids.append(subject.scan(uid("P2")))
    subject.push()
    site.restore(tmp_path / "backup.db")
    assert subject.pull_is_refused() == "not_known"
    subject.enrol(site)
    subject.pull()
    assert subject.pending() == 2
    subject.push()
    assert verdicts_of(subject, ids) == [OK] * 2
    assert [site.centre.journey(each).state for each in ("P1", "P2")] == ["ARRIVED", "ARRIVED"]


def test_an_answer_from_before_a_restore_that_a_page_has_told_is_discarded(make: Make, site: Site):
    subject = make()
    action_id = subject.scan(uid("P1"))

    def restored_meanwhile(call: str, answer: Json) -> Json:
        if call == "pull":
            return answer | {"server_incarnation": "another", "reset": True, "from_cursor": 0}
        subject.pull_once()
        return answer

    site.between.change = restored_meanwhile
    subject.push_once()
    assert [call for call, _ in site.between.asked[-2:]] == ["push", "pull"]
    assert (subject.verdict(action_id), subject.pending()) == (None, 1)
    site.between.change = lambda call, answer: answer
    subject.pull()
    subject.push()
    assert subject.verdict(action_id) == OK
