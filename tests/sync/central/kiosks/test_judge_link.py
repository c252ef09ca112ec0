"""The verdict for one link: judged, repeated, or set aside with its reason, and the rows that each leaves."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from sync.central.kiosks.batch import Batch
from sync.central.kiosks.intents import content_hash, read_body
from sync.central.kiosks.judge_link import judge_link
from sync.central.kiosks.links import Link
from sync.central.records.chains import Chain, Receipt, put_receipt
from sync.central.records.kiosks import read_kiosk
from sync.central.records.told_seqs import ON_ITS_WAY_MS, ToldEnd, note_told
from sync.central.services.perform_action import perform
from sync.central.services.requests import ActionRequest
from sync.ids import new_id
from sync.protocol import Code, Intent, Opaque, PriorVerdict, Pushed, Verdict, canonical
from tests.sync.central.conflicts.pushed import context_of
from tests.sync.central.kiosks.sender import Sender
from tests.sync.central.wire import AT_THE_DESK, Centre, cards_of


def only(centre: Centre, sql: str, **parameters: object) -> dict[str, Any]:
    """The one row of a query."""
    (row,) = centre.rows(sql, **parameters)
    return row


def reasons(centre: Centre) -> list[object]:
    """Why bodies were set aside, in the order of their receipt."""
    return [row["reason"] for row in centre.rows("select reason from quarantine order by epoch, seq")]


def opaque(sender: Sender, sent: bytes, action_id: str, **more: Any) -> Pushed:
    """A record that is sent as stored on the disk, as the next link."""
    link = sender.chained({"unread": action_id})
    body = base64.b64encode(sent).decode()
    return msgspec.structs.replace(link, body=msgspec.Raw(b"null"), opaque=Opaque(sender.seq, action_id, body, **more))


def broken(centre: Centre, sender: Sender, patient_id: str = "P1") -> Intent:
    """An action that the tables cannot take, as the second one: they took the first."""
    other = "P3" if patient_id == "P2" else "P2"
    sender.push(sender.intent("scan_nfc", other, card=cards_of(other)[0]))
    with centre.store.write() as db:
        centre.database.refuse(db, "insert", "transitions")
    return sender.intent("scan_nfc", patient_id)


# Judged.


def test_a_judged_action_leaves_a_receipt_and_a_stored_answer(centre: Centre, sender: Sender):
    intent = sender.intent()
    verdict = sender.push(intent)
    assert (verdict.action_id, verdict.seq, verdict.verdict) == (intent.action_id, 1, Verdict.APPLIED)
    assert verdict.journey == centre.journey("P1")
    assert only(centre, "select * from receipts") == {
        "kiosk_id": sender.kiosk_id,
        "epoch": 1,
        "seq": 1,
        "hash": sender.head,
        "verdict_id": intent.action_id,
    }
    stored = only(centre, "select * from actions")
    assert (stored["action_id"], stored["patient_id"], stored["action_type"]) == (intent.action_id, "P1", "scan_nfc")
    assert (stored["source"], stored["outcome"], stored["result"]) == (sender.kiosk_id, "applied", None)
    body = read_body(canonical(intent))
    assert body is not None
    assert body.document is not None
    assert stored["content_hash"] == content_hash(body.document)


def test_an_action_that_comes_again_in_another_place_gets_its_verdict_and_a_receipt_there(
    centre: Centre, sender: Sender
):
    intent = sender.intent()
    first = sender.push(intent)
    again = sender.push(msgspec.structs.replace(intent, seq=2))
    assert (again.action_id, again.seq, again.verdict, again.journey) == (first.action_id, 2, "applied", first.journey)
    assert [row["verdict_id"] for row in centre.rows("select verdict_id from receipts")] == [intent.action_id] * 2
    assert len(centre.rows("select * from verdicts")) == 1


def test_a_repeat_tells_the_journey_as_it_is_now(centre: Centre, sender: Sender):
    link = sender.chained(sender.intent())
    sender.accepted(link)
    assert centre.staff("register", "P1").done
    (again,) = sender.accepted(link).verdicts
    assert again.journey == centre.journey("P1")
    assert (again.verdict, again.code) == (Verdict.APPLIED, Code.OK)


@pytest.mark.parametrize(("revision", "told"), [(0, 0), (2**31 - 1, 2**31 - 1), (2**31, 0), (-1, 0)])
def test_a_verdict_from_before_a_restore_counts_where_its_revision_can_be_stored(
    centre: Centre, sender: Sender, revision: int, told: int
):
    held = PriorVerdict(Verdict.APPLIED, Code.OK, revision)
    assert sender.push(sender.intent(), held).revision == told


def test_an_action_happened_after_the_last_pull_that_told_of_none_of_it(centre: Centre, sender: Sender):
    with centre.store.write() as db:
        note_told(db, sender.kiosk_id, ToldEnd(1, 0), centre.time())
    early = replace(sender.clock(), mono_ms=sender.clock().mono_ms - 900_000)
    sender.push(sender.intent(clock=early))
    assert only(centre, "select happened_ms from transitions") == {"happened_ms": centre.time() - ON_ITS_WAY_MS}


# Set aside.


def test_an_id_that_was_used_for_another_action_is_set_aside_under_an_id_of_the_centres(centre: Centre, sender: Sender):
    intent = sender.intent()
    sender.push(intent)
    verdict = sender.push(sender.intent("register", "P2", action_id=intent.action_id))
    assert (verdict.action_id, verdict.code) == (intent.action_id, Code.QUARANTINED)
    assert reasons(centre) == ["its id was used for another action"]
    assert only(centre, "select verdict_id from quarantine")["verdict_id"] != intent.action_id
    stored = only(centre, "select outcome from actions where action_id = :id", id=intent.action_id)
    assert stored == {"outcome": "applied"}


def test_a_body_that_cannot_be_kept_is_no_repeat_of_the_action_whose_id_it_names(centre: Centre, sender: Sender):
    intent = sender.intent()
    sender.push(intent)
    deep = b"[" * 40 + b"]" * 40
    verdict = sender.push(b'{"action_id":"%s","seq":2,"x":%s}' % (intent.action_id.encode(), deep))
    assert (verdict.action_id, verdict.seq, verdict.code) == (intent.action_id, 2, Code.QUARANTINED)
    assert reasons(centre) == ["not JSON that can be kept"]


def test_an_id_that_an_app_used_is_set_aside_under_an_id_of_the_centres(centre: Centre, sender: Sender):
    assert centre.staff("scan_nfc", "P2").done
    used = only(centre, "select action_id from actions")["action_id"]
    assert sender.push(sender.intent(action_id=used)).code is Code.QUARANTINED
    assert reasons(centre) == ["its id was used for another action"]
    assert only(centre, "select verdict_id from quarantine")["verdict_id"] != used


def test_an_id_under_which_a_body_was_set_aside_is_used(centre: Centre, sender: Sender):
    used = new_id()
    deep = b"[" * 40 + b"]" * 40
    for seq in (1, 2):
        verdict = sender.push(b'{"action_id":"%s","seq":%d,"x":%s}' % (used.encode(), seq, deep))
        assert (verdict.action_id, verdict.seq, verdict.code) == (used, seq, Code.QUARANTINED)
    ids = [row["verdict_id"] for row in centre.rows("select verdict_id from quarantine order by seq")]
    assert (ids[0], ids[1] != used) == (used, True)
    assert reasons(centre) == ["not JSON that can be kept"] * 2


@pytest.mark.parametrize("held", [None, PriorVerdict(Verdict.APPLIED, Code.OK, 5)])
def test_a_sound_action_after_an_unread_record_of_its_id_is_another_action(
    centre: Centre, sender: Sender, held: PriorVerdict | None
):
    """Nobody can tell what the record was. Its verdict stands, and the action is kept beside it."""
    intent = sender.intent(seq=2)
    sender.accepted(opaque(sender, b"\xff\xfe broken", intent.action_id))
    verdict = sender.push(intent, held)
    assert (verdict.action_id, verdict.seq, verdict.code, verdict.revision) == (intent.action_id, 2, "quarantined", 0)
    assert reasons(centre) == ["no centre could accept it", "its id was used for another action"]
    assert len(centre.rows("select * from verdicts where verdict_id = :id", id=intent.action_id)) == 1
    assert centre.journey("P1").state == "UNREGISTERED"


def test_no_action_at_the_desk_gets_the_id_of_an_unread_record(centre: Centre, sender: Sender):
    used = new_id()
    sender.accepted(opaque(sender, b"\xff\xfe broken", used))
    request = ActionRequest("scan_nfc", used, {})
    assert not perform(centre.parts, AT_THE_DESK, "P2", request).done
    assert centre.journey("P2").state == "UNREGISTERED"


def test_an_action_of_another_site_is_set_aside(centre: Centre, sender: Sender):
    sender.push(sender.intent(site_id="another"))
    assert reasons(centre) == ["it belongs to another site"]
    assert centre.rows("select * from waiting") == [], "its patient may be another person here"


@pytest.mark.parametrize("place", [{"kiosk_id": "another"}, {"epoch": 2}])
def test_an_action_that_names_another_chain_is_set_aside(centre: Centre, sender: Sender, place: dict[str, object]):
    sender.push(sender.intent(**place))
    assert reasons(centre) == ["it belongs to another chain"]
    assert centre.rows("select * from waiting") == []


def test_a_body_without_an_object_and_one_that_is_no_json_say_so(centre: Centre, sender: Sender):
    sender.push([])
    deep = b"[" * 100 + b"]" * 100
    sender.push(deep)
    assert reasons(centre) == ["not an object", "not JSON that can be kept"]


def test_a_refused_claim_is_set_aside_and_staff_may_not_apply_it(centre: Centre, sender: Sender):
    sender.push(sender.intent(queue_number="VIP"))
    assert reasons(centre) == ["its queue number is none"]
    assert centre.open_cases() == ["quarantined"]
    assert centre.rows("select * from waiting") == []


def test_an_action_about_a_stranger_is_set_aside_whole_so_that_staff_may_apply_it(centre: Centre, sender: Sender):
    intent = sender.intent("scan_nfc", "P3")
    verdict = sender.push(intent)
    assert (verdict.code, verdict.journey) == (Code.QUARANTINED, None)
    case = only(centre, "select * from exceptions")
    assert (case["code"], case["patient_id"], case["action_id"]) == ("not_named", "P3", intent.action_id)
    waiting = only(centre, "select verdict_id, exception_id, visit_id, code from waiting")
    assert waiting == {
        "verdict_id": intent.action_id,
        "exception_id": case["exception_id"],
        "visit_id": intent.visit_id,
        "code": "quarantined",
    }


def test_a_case_about_a_merged_record_names_the_record_that_was_kept(centre: Centre, sender: Sender):
    assert centre.merge("P1", "P2").done
    sender.push(broken(centre, sender, "P2"))
    assert only(centre, "select patient_id from exceptions") == {"patient_id": "P1"}


def test_an_action_that_the_tables_cannot_take_is_set_aside_whole_and_no_row_of_it_stays(
    centre: Centre, sender: Sender, caplog: pytest.LogCaptureFixture
):
    intent = broken(centre, sender)
    verdict = sender.push(intent)
    assert (verdict.seq, verdict.code) == (2, Code.QUARANTINED)
    assert reasons(centre) == ["internal error"]
    waiting = only(centre, "select verdict_id, kiosk_id, seq, received_ms from waiting")
    assert waiting == {
        "verdict_id": intent.action_id,
        "kiosk_id": sender.kiosk_id,
        "seq": 2,
        "received_ms": centre.time(),
    }
    assert centre.journey("P1").state == "UNREGISTERED"
    assert caplog.messages == [
        f"action 2 of {sender.kiosk_id} failed: IntegrityError",
        f"action 2 of {sender.kiosk_id} was quarantined: internal error",
    ]
    assert intent.visit_id not in caplog.text


def test_a_body_that_is_set_aside_is_kept_as_it_came_with_its_place(centre: Centre, sender: Sender):
    body = {"action_id": new_id(), "seq": 1, "name": "x"}
    verdict = sender.push(body)
    assert (verdict.action_id, verdict.seq, verdict.patient_id) == (body["action_id"], 1, None)
    case = only(centre, "select * from exceptions")
    row = only(centre, "select * from quarantine")
    assert (row["kiosk_id"], row["epoch"], row["seq"], row["received_ms"]) == (sender.kiosk_id, 1, 1, centre.time())
    assert (row["verdict_id"], row["exception_id"]) == (body["action_id"], case["exception_id"])
    assert json.loads(row["body"]) == body
    assert (case["action_id"], case["kiosk_id"], case["patient_id"]) == (body["action_id"], sender.kiosk_id, None)
    assert (case["code"], case["opened_ms"]) == ("quarantined", centre.time())
    assert msgspec.json.decode(case["detail"]) == {
        "epoch": 1,
        "seq": 1,
        "hash": sender.head,
        "reason": "not an intent",
    }
    record = only(centre, "select verdict_id, kiosk_id, seq, verdict, code, revision, recorded_ms from verdicts")
    assert record == {
        "verdict_id": body["action_id"],
        "kiosk_id": sender.kiosk_id,
        "seq": 1,
        "verdict": "needs_staff",
        "code": "quarantined",
        "revision": 0,
        "recorded_ms": centre.time(),
    }


def test_a_link_that_was_set_aside_is_a_repeat_when_it_comes_again(centre: Centre, sender: Sender):
    link = sender.chained({"no": "action"})
    first = sender.accepted(link)
    assert sender.accepted(link).verdicts == first.verdicts
    assert len(centre.rows("select * from quarantine")) == 1
    assert only(centre, "select hash from receipts") == {"hash": link.hash}


def test_a_readable_body_that_is_set_aside_is_the_same_action_when_it_comes_again(centre: Centre, sender: Sender):
    body = {"action_id": new_id(), "seq": 1, "name": "x"}
    sender.push(body)
    stored = only(centre, "select * from actions")
    assert (stored["patient_id"], stored["action_type"], stored["source"]) == (None, "", sender.kiosk_id)
    assert (stored["outcome"], stored["result"]) == ("needs_staff", None)
    assert (stored["content_hash"], stored["recorded_ms"]) == (content_hash(body), centre.time())
    assert sender.push({**body, "seq": 2}).code is Code.QUARANTINED
    assert len(centre.rows("select * from quarantine")) == 1


def test_a_body_without_a_usable_id_gets_an_id_of_the_centres_that_no_action_gets(centre: Centre, sender: Sender):
    sender.push({"action_id": "no uuid", "seq": 1})
    assert only(centre, "select action_id from exceptions") == {"action_id": None}
    made = str(only(centre, "select verdict_id from verdicts")["verdict_id"])
    assert made != "no uuid"
    for seq, sent in enumerate(
        (sender.intent(seq=2, action_id=made), b'{"action_id":"%s","seq":3}' % made.encode()), 2
    ):
        verdict = sender.push(sent)
        assert (verdict.action_id, verdict.seq, verdict.code) == (made, seq, Code.QUARANTINED)
    assert reasons(centre) == ["not an intent", "its id was used for another action", "not an intent"]
    assert len(centre.rows("select distinct verdict_id from verdicts where revision = 0")) == 3


# Records that were damaged at the kiosk.


def unread(sender: Sender, intent: Intent, **named: Any) -> Pushed:
    """An intact record that is sent as stored. `named` is what it was sent as, where that is another action."""
    raw = canonical(intent)
    link = sender.chained(raw)
    sent = Opaque(sender.seq, intent.action_id, base64.b64encode(raw).decode())
    return msgspec.structs.replace(link, body=msgspec.Raw(b"null"), opaque=msgspec.structs.replace(sent, **named))


def test_a_record_that_is_sent_unread_is_judged_where_its_hash_covers_it(centre: Centre, sender: Sender):
    intent = sender.intent()
    (verdict,) = sender.accepted(unread(sender, intent)).verdicts
    assert (verdict.action_id, verdict.code) == (intent.action_id, Code.OK)


def test_a_record_that_is_sent_unread_keeps_the_verdict_from_before_a_restore(centre: Centre, sender: Sender):
    record = msgspec.structs.replace(unread(sender, sender.intent()), held=PriorVerdict(Verdict.APPLIED, Code.OK, 4))
    (verdict,) = sender.accepted(record).verdicts
    assert (verdict.code, verdict.revision) == (Code.OK, 4)


def test_a_sound_record_that_its_hash_does_not_cover_is_set_aside_and_holds_back_no_other(
    centre: Centre, sender: Sender
):
    """A bit flipped on the disk, and made it another patient's action."""
    intent = sender.intent()
    record = opaque(sender, canonical(intent), intent.action_id)
    verdicts = sender.accepted(record, sender.chained(sender.intent("scan_nfc", "P2"))).verdicts
    assert [verdict.code for verdict in verdicts] == [Code.QUARANTINED, Code.OK]
    assert reasons(centre) == ["no centre could accept it"]
    assert (centre.journey("P1").state, centre.journey("P2").state) == ("UNREGISTERED", "ARRIVED")


def test_a_record_that_names_another_action_than_it_was_sent_as_does_not_count(centre: Centre, sender: Sender):
    (verdict,) = sender.accepted(unread(sender, sender.intent(), action_id=new_id())).verdicts
    assert verdict.code is Code.QUARANTINED
    (verdict,) = sender.accepted(unread(sender, sender.intent(seq=9))).verdicts
    assert verdict.code is Code.QUARANTINED
    assert reasons(centre) == ["no centre could accept it"] * 2
    assert centre.journey("P1").state == "UNREGISTERED"


def test_a_record_whose_hash_does_not_cover_it_is_set_aside_and_holds_back_no_other(centre: Centre, sender: Sender):
    record = opaque(sender, b"\xff\xfe broken", new_id())
    verdicts = sender.accepted(record, sender.chained(sender.intent())).verdicts
    assert [verdict.code for verdict in verdicts] == [Code.QUARANTINED, Code.OK]
    row = only(centre, "select body, reason from quarantine")
    assert row == {"body": "\ufffd\ufffd broken", "reason": "no centre could accept it"}


def test_an_action_with_a_text_that_not_every_database_holds_is_set_aside_alone(centre: Centre, sender: Sender):
    bad = sender.intent(payload={"reason": "a\0b"})
    first, record = sender.chained(bad), opaque(sender, b"a\0b", new_id())
    verdicts = sender.accepted(first, record, sender.chained(sender.intent())).verdicts
    assert [verdict.code for verdict in verdicts] == [Code.QUARANTINED, Code.QUARANTINED, Code.OK]
    one, other = centre.rows("select action_id, body from quarantine order by seq")
    assert (one["action_id"], json.loads(str(one["body"]))["payload"]) == (bad.action_id, {"reason": "a\0b"})
    assert other["body"] == "a\N{SYMBOL FOR NULL}b"


def test_a_record_that_is_no_base64_is_kept_as_its_text(centre: Centre, sender: Sender):
    record = opaque(sender, b"", new_id())
    assert record.opaque is not None
    text = msgspec.structs.replace(record.opaque, body="no base64!")
    sender.accepted(msgspec.structs.replace(record, opaque=text))
    assert only(centre, "select body from quarantine") == {"body": "no base64!"}


def test_a_record_that_is_sent_unread_counts_as_the_action_of_its_id(centre: Centre, sender: Sender):
    intent = sender.intent()
    first = sender.push(intent)
    (verdict,) = sender.accepted(opaque(sender, b"broken since", intent.action_id)).verdicts
    assert (verdict.action_id, verdict.seq, verdict.verdict) == (first.action_id, 2, Verdict.APPLIED)
    assert centre.rows("select * from quarantine") == []


def test_a_record_that_is_sent_unread_counts_as_the_action_of_its_id_though_its_hash_covers_another_content(
    centre: Centre, sender: Sender
):
    """A bit flipped on the disk, and the kiosk renumbered its chain over what it found."""
    intent = sender.intent()
    sender.push(intent)
    damaged = sender.intent("scan_nfc", "P2", action_id=intent.action_id)
    (verdict,) = sender.accepted(unread(sender, damaged)).verdicts
    assert (verdict.seq, verdict.code, verdict.patient_id) == (2, Code.OK, "P1")
    assert centre.rows("select * from quarantine") == []


# Links from a file.


def from_file(centre: Centre, sender: Sender, intent: Intent) -> None:
    """An action of the first epoch that comes from a file."""
    raw = canonical(intent)
    body = read_body(raw)
    assert body is not None
    link = Link(intent.seq, "hash of the file", raw, body.document, intent, action_id=intent.action_id)
    context = context_of(centre)
    with centre.store.write() as db:
        kiosk = read_kiosk(db, sender.kiosk_id)
        assert kiosk is not None
        chain, keys = Chain(sender.kiosk_id, 1), centre.parts.keys.published
        judge_link(db, Batch(context, keys, kiosk, chain, sender.clock(), in_chain=False), link)


def test_a_link_from_a_file_leaves_a_receipt(centre: Centre, sender: Sender):
    intent = sender.intent()
    from_file(centre, sender, intent)
    assert only(centre, "select hash, verdict_id from receipts") == {
        "hash": "hash of the file",
        "verdict_id": intent.action_id,
    }


def test_a_link_from_a_file_replaces_no_receipt_of_the_chain(centre: Centre, sender: Sender):
    with centre.store.write() as db:
        put_receipt(db, Chain(sender.kiosk_id, 1), 1, Receipt("hash of the chain", "another action"))
    from_file(centre, sender, sender.intent())
    assert only(centre, "select hash from receipts") == {"hash": "hash of the chain"}
    assert centre.journey("P1").state == "ARRIVED"


def test_a_link_of_the_chain_replaces_an_older_receipt(centre: Centre, sender: Sender):
    with centre.store.write() as db:
        put_receipt(db, Chain(sender.kiosk_id, 1), 1, Receipt("hash of a file", "another action"))
    sender.push(sender.intent())
    assert only(centre, "select hash from receipts") == {"hash": sender.head}
