"""A push: its answer, what it leaves in the chain, and batches that do not fit the chain."""

from __future__ import annotations

import msgspec
import pytest

from sync.central.kiosks.push import receive_batch
from sync.central.records.told_seqs import ToldEnd, note_told
from sync.protocol import MAX_BATCH, CallRefused, EndCode, PushAnswer, Pushed
from tests.sync.central.kiosks.sender import Sender
from tests.sync.central.wire import Centre

OTHER_CHAIN = Pushed("0" * 64, msgspec.Raw(b'{"seq":1}'))


def chain_of(centre: Centre) -> dict[str, object]:
    """The chain of the first epoch."""
    (row,) = centre.rows("select last_seq, last_hash, times_asked from chains where epoch = 1")
    return row


def latest_change(centre: Centre) -> int:
    with centre.store.read() as db:
        return db.latest_change()


# The answer.


def test_the_answer_names_the_centre_and_how_far_the_chain_has_come(centre: Centre, sender: Sender):
    link = sender.chained(sender.intent())
    with centre.store.write() as db:
        db.execute("update chains set backed_up_seq = 7")
    answer = receive_batch(centre.parts, sender.kiosk_id, sender.request(link), (4, 2, 3))
    assert isinstance(answer, PushAnswer)
    assert (answer.site_id, answer.server_incarnation) == (centre.site_id, "first")
    assert (answer.last_seq, answer.backed_up_seq, answer.versions) == (1, 7, (2, 3, 4))
    assert [(row.seq, row.verdict) for row in answer.verdicts] == [(1, "applied")]


def test_a_batch_of_as_many_actions_as_a_batch_may_hold_is_judged(centre: Centre, sender: Sender):
    links = [sender.chained({"n": number}) for number in range(MAX_BATCH)]
    assert len(sender.accepted(*links).verdicts) == MAX_BATCH


def test_a_batch_of_more_says_how_many_it_may_hold_and_leaves_nothing(centre: Centre, sender: Sender):
    refusal = sender.refused(*[sender.chained({"n": number}) for number in range(MAX_BATCH + 1)])
    assert (refusal.code, refusal.error) == (EndCode.MALFORMED, f"a batch holds at most {MAX_BATCH} actions")
    assert centre.rows("select seen_ms from kiosks") == [{"seen_ms": None}]


def test_a_version_that_the_centre_does_not_speak_gets_the_versions_that_it_speaks(centre: Centre, sender: Sender):
    refusal = receive_batch(centre.parts, sender.kiosk_id, sender.request(protocol_version=1), (3, 2))
    assert isinstance(refusal, CallRefused)
    assert (refusal.code, refusal.versions) == (EndCode.UNSUPPORTED_VERSION, (2, 3))
    assert refusal.error == "this centre speaks protocol versions 2, 3"


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"site_id": "another"}, EndCode.OTHER_SITE), ({"kiosk_id": "another"}, EndCode.NOT_KNOWN)],
)
def test_a_refused_call_is_no_contact_of_the_kiosk(
    centre: Centre, sender: Sender, changes: dict[str, object], code: EndCode
):
    assert sender.refused(sender.chained(sender.intent()), **changes).code is code
    assert centre.rows("select seen_ms from kiosks") == [{"seen_ms": None}]
    assert centre.rows("select * from receipts") == []


def test_a_push_is_a_contact_of_the_kiosk(centre: Centre, sender: Sender):
    centre.time.pass_minutes(5)
    sender.accepted()
    assert centre.rows("select seen_ms from kiosks") == [{"seen_ms": centre.time()}]


# The chain.


def test_new_links_move_the_chain_and_end_the_requests_for_missing_ones(centre: Centre, sender: Sender):
    with centre.store.write() as db:
        db.execute("update chains set times_asked = 2")
    links = [sender.chained(sender.intent()), sender.chained(sender.intent("register"))]
    sender.accepted(*links)
    assert chain_of(centre) == {"last_seq": 2, "last_hash": links[1].hash, "times_asked": 0}


def test_a_batch_that_moves_no_journey_takes_a_change_number(centre: Centre, sender: Sender):
    """A backup from before would look as new as the database without it."""
    before = latest_change(centre)
    assert sender.push({"no": "action"}).code == "quarantined"
    assert latest_change(centre) > before


def test_a_batch_of_repeats_leaves_everything_as_it_is(centre: Centre, sender: Sender):
    link = sender.chained(sender.intent())
    first = sender.accepted(link)
    before = (latest_change(centre), chain_of(centre))
    with centre.store.write() as db:
        db.execute("update chains set times_asked = 2")
    assert sender.accepted(link).verdicts == first.verdicts
    assert chain_of(centre)["times_asked"] == 2, "it has brought nothing that was missing"
    assert latest_change(centre) == before[0]


def test_repeats_and_new_links_of_one_batch_get_their_verdicts_in_their_order(centre: Centre, sender: Sender):
    first, second = sender.chained(sender.intent()), sender.chained(sender.intent("register", "P2"))
    sender.accepted(first)
    assert [row.seq for row in sender.accepted(first, second).verdicts] == [1, 2]


def test_a_batch_may_begin_in_the_middle_of_what_was_judged(centre: Centre, sender: Sender):
    links = [sender.chained(sender.intent()) for _ in range(3)]
    first = sender.accepted(*links[:2])
    again = sender.accepted(*links[1:])
    assert [row.seq for row in again.verdicts] == [2, 3]
    assert again.verdicts[0].action_id == first.verdicts[1].action_id


def test_what_a_kiosk_told_of_judged_actions_is_forgotten(centre: Centre, sender: Sender):
    with centre.store.write() as db:
        for seq in (1, 2):
            note_told(db, sender.kiosk_id, ToldEnd(1, seq), centre.time())
    sender.accepted(sender.chained(sender.intent()), sender.chained(sender.intent("register")))
    assert [row["seq"] for row in centre.rows("select seq from told_seqs")] == [2]


# Missing actions.


def test_missing_actions_are_asked_for_and_no_case_is_opened(centre: Centre, sender: Sender):
    sender.seq = 4
    refusal = sender.refused(sender.chained(sender.intent()))
    assert (refusal.code, refusal.expected_seq, refusal.epoch) == (EndCode.GAP, 1, 1)
    assert (refusal.site_id, refusal.error) == (centre.site_id, "actions are missing in between")
    assert chain_of(centre)["times_asked"] == 1
    assert centre.open_cases() == []


def test_actions_count_as_lost_once_they_were_asked_for_three_times(
    centre: Centre, sender: Sender, caplog: pytest.LogCaptureFixture
):
    sender.accepted(sender.chained(sender.intent()))
    sender.seq = 4
    link = sender.chained(sender.intent())
    assert [sender.refused(link).code for _ in range(4)] == [EndCode.GAP] * 3 + [EndCode.FORK]
    (case,) = centre.rows("select code, kiosk_id, detail, opened_ms from exceptions")
    detail = {"epoch": 1, "new_epoch": 2, "last_seq": 1}
    assert (case["code"], case["kiosk_id"], case["opened_ms"]) == ("gap", sender.kiosk_id, centre.time())
    assert msgspec.json.decode(str(case["detail"])) == detail
    (note,) = centre.rows("select who, at_ms, detail from audit where kind = 'gap'")
    assert (note["who"], note["at_ms"]) == (sender.kiosk_id, centre.time())
    assert msgspec.json.decode(str(note["detail"])) == detail
    assert caplog.messages == [f"kiosk {sender.kiosk_id}: gap in epoch 1; it continues in epoch 2"]


# Forks and epochs.


def epochs(centre: Centre) -> list[object]:
    """The epoch of each kiosk."""
    return [row["epoch"] for row in centre.rows("select epoch from kiosks")]


def test_a_chain_that_does_not_fit_continues_under_the_next_epoch(centre: Centre, sender: Sender):
    sender.accepted(sender.chained(sender.intent()))
    refusal = sender.refused(OTHER_CHAIN)
    assert (refusal.code, refusal.epoch, refusal.site_id) == (EndCode.FORK, 2, centre.site_id)
    assert refusal.error == "this chain does not continue the chain that the centre has"
    assert (epochs(centre), centre.open_cases()) == ([2], ["fork"])


def test_a_first_batch_that_does_not_fit_continues_under_the_next_epoch_too(centre: Centre, sender: Sender):
    assert sender.refused(OTHER_CHAIN).epoch == 2
    assert (epochs(centre), centre.open_cases()) == ([2], ["fork"])


def test_another_action_in_the_place_of_a_judged_one_is_a_fork(centre: Centre, sender: Sender):
    sender.accepted(sender.chained(sender.intent()))
    clone = Sender(centre, "B")
    clone.kiosk_id = sender.kiosk_id
    assert clone.refused(clone.chained(clone.intent("scan_nfc", "P2"))).code is EndCode.FORK
    assert centre.journey("P2").state == "UNREGISTERED"


def test_a_kiosk_that_has_missed_its_new_epoch_is_told_it_again(centre: Centre, sender: Sender):
    sender.accepted(sender.chained(sender.intent()))
    assert [sender.refused(OTHER_CHAIN).epoch for _ in range(3)] == [2, 2, 2]
    assert len(centre.rows("select * from audit where kind = 'fork'")) == 1


def test_a_kiosk_in_an_epoch_that_has_been_used_since_begins_another_one(centre: Centre, sender: Sender):
    """Two clones of one kiosk: the other one has gone on in the second epoch."""
    sender.accepted(sender.chained(sender.intent()))
    sender.refused(OTHER_CHAIN)
    clone = Sender(centre, "B")
    clone.kiosk_id, clone.epoch = sender.kiosk_id, 2
    clone.accepted(clone.chained(clone.intent("scan_nfc", "P2")))
    assert sender.refused(OTHER_CHAIN).epoch == 3


@pytest.mark.parametrize(("told", "new"), [(2, 3), (5, 6), (2**40, 2**40 + 1), (2**62, 2**40 + 1)])
def test_a_kiosk_ahead_of_the_centres_epochs_begins_the_one_after_its_own(
    centre: Centre, sender: Sender, told: int, new: int
):
    assert sender.refused(epoch=told).epoch == new
    assert epochs(centre) == [new]


def test_an_epoch_always_follows_the_one_that_the_centre_has(centre: Centre, sender: Sender):
    with centre.store.write() as db:
        db.execute("update kiosks set epoch = 2 * :most", {"most": 2**40})
    assert sender.refused(epoch=2**62).epoch == 2 * 2**40 + 1


def test_forks_of_one_kiosk_are_one_open_case_and_a_note_each(centre: Centre, sender: Sender):
    sender.refused(epoch=5)
    sender.refused(epoch=9)
    other = Sender(centre, "B")
    other.refused(epoch=5)
    assert centre.open_cases() == ["fork", "fork"]
    assert len(centre.rows("select * from audit where kind = 'fork'")) == 3


def test_what_a_kiosk_told_before_a_fork_still_says_when_its_actions_happened(centre: Centre, sender: Sender):
    with centre.store.write() as db:
        note_told(db, sender.kiosk_id, ToldEnd(1, 0), centre.time())
    sender.refused(epoch=5)
    assert centre.rows("select epoch, seq, last_ms from told_seqs") == [
        {"epoch": 6, "seq": 0, "last_ms": centre.time()}
    ]
