"""A damaged body of the outbox is detected, goes unread, and delays no other action."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.store import outbox, outbox_bodies
from sync.journey.model import RefusalCode
from sync.protocol import MAX_ACTION_BODY, NO_HASH, Code, Intent, Verdict, VerdictRow, chain_hash
from tests.kiosk.samples import Clock, cards, enrolled, enrolment, page, row

Damage = Callable[[bytes, bytes], bytes]

# Each damage: from a body and another row's body to the damaged body.
DAMAGES: dict[str, Damage] = {
    "a name of a member": lambda body, _: body.replace(b'"visit_id"', b'"visit_hd"'),
    "another patient's": lambda body, _: body.replace(b'"P2"', b'"P3"'),
    "no JSON": lambda body, _: body[:40] + b"\x00" + body[41:],
    "no text": lambda body, _: body.replace(b"scan", b"sc\xffn"),
    "torn": lambda body, _: body[: len(body) // 2],
    "empty": lambda *_: b"",
    "nested without end": lambda *_: b"[" * 100_000,
    "of another action": lambda _, other: other,
}


class Kiosk:
    """Three patients have tapped; the body of the second action is damaged."""

    def __init__(self, directory: Path, damage: Damage) -> None:
        self.parts = enrolled(directory, Clock())
        self.store, self.journeys, self.ledger = self.parts.store, self.parts.journeys, self.parts.ledger
        for number in (1, 2, 3):
            tapped = self.journeys.tap(cards(number), ("scan_nfc",))
            assert tapped is not None
            assert tapped.action_ids
        self.ids = [each.action_id for each in self.rows()]
        self.damage = damage

    def strike(self) -> None:
        """Damages the body, and leaves the digest."""
        with self.store.write() as db:
            body, other = (
                db.execute("select body from outbox where patient_id = ?", (each,)).fetchone()[0]
                for each in ("P2", "P1")
            )
            self.damaged = self.damage(body, other)
            assert self.damaged != body
            db.execute("update outbox set body = ? where patient_id = 'P2'", (self.damaged,))

    def rows(self) -> list[outbox.OutboxRow]:
        with self.store.read() as db:
            return outbox.rows(db)

    def state(self, number: int) -> str:
        status = self.journeys.patient_status(f"P{number}")
        assert status is not None
        return status.journey.state

    def judge_all(self) -> None:
        """Writes a verdict for every action."""
        judged = [
            VerdictRow(action_id=each.action_id, seq=each.seq, verdict=Verdict.APPLIED, code=Code.OK, revision=3)
            for each in self.rows()
        ]
        self.ledger.retire(judged)

    def check_next(self, *place: object) -> None:
        """Checks the next batch: all three in order under that kiosk and epoch, the damaged one unread, in a valid
        chain."""
        batch = self.ledger.batch(10, None)
        first, second, third = batch
        read = [msgspec.json.decode(each.body, type=Intent) for each in (first, third)]
        assert [(each.kiosk_id, each.epoch, each.seq) for each in read] == [(*place, 1), (*place, 3)]
        assert [each.action_id for each in read] == [self.ids[0], self.ids[2]]
        assert (first.opaque, third.opaque) == (None, None)
        assert second.opaque is not None
        assert (bytes(second.body), second.opaque.seq, second.opaque.action_id) == (b"null", 2, self.ids[1])
        assert base64.b64decode(second.opaque.body) == self.damaged[:MAX_ACTION_BODY]
        assert first.hash == chain_hash(NO_HASH, bytes(first.body))
        assert third.hash == chain_hash(second.hash, bytes(third.body))


@pytest.fixture(params=DAMAGES)
def kiosk(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    made = Kiosk(tmp_path, DAMAGES[request.param])
    yield made
    made.store.close()


def test_in_its_place_it_goes_unread_with_the_hash_that_it_had(kiosk: Kiosk):
    before = [each.hash for each in kiosk.ledger.batch(10, None)]
    kiosk.strike()
    kiosk.check_next("kiosk-1", 1)
    sent = kiosk.ledger.batch(10, None)
    assert [each.hash for each in sent] == before
    assert [each.opaque.readable for each in sent if each.opaque] == [False]


def test_a_fork_renumbers_it_with_the_others_and_leaves_it_as_it_is(kiosk: Kiosk):
    kiosk.strike()
    kiosk.ledger.start_epoch(2)
    kiosk.check_next("kiosk-1", 2)
    kiosk.ledger.start_epoch(3)
    kiosk.check_next("kiosk-1", 3)
    with kiosk.store.read() as db:
        assert db.execute("select body from outbox where patient_id = 'P2'").fetchone()[0] == kiosk.damaged
        assert outbox.head(db).next_seq == 4
    tapped = kiosk.journeys.act("P1", "register", None, {})
    assert tapped.action_ids
    assert len(kiosk.ledger.batch(10, None)) == 4


def test_a_new_chain_does_not_say_that_its_body_is_sound(kiosk: Kiosk):
    """The hash in the new chain is that of a stand-in, so that no centre takes the damaged body for sound."""
    kiosk.strike()
    kiosk.ledger.start_epoch(2)
    first, second, _ = kiosk.ledger.batch(10, None)
    stand_in = outbox_bodies.stand_in(kiosk.ids[1], 2, kiosk.damaged)
    assert second.hash == chain_hash(first.hash, stand_in)
    assert stand_in != kiosk.damaged


def test_a_page_that_names_its_patient_is_adopted_and_shows_the_rest(kiosk: Kiosk):
    kiosk.strike()
    assert kiosk.ledger.adopt(page(row(1), row(2), row(3), from_cursor=1, cursor=2)) == {"P1", "P2", "P3"}
    assert [kiosk.state(number) for number in (1, 2, 3)] == ["ARRIVED", "UNREGISTERED", "ARRIVED"]


def test_a_restored_centre_is_followed(kiosk: Kiosk):
    kiosk.judge_all()
    kiosk.strike()
    restored = page(row(1), row(2), row(3), server_incarnation="two", reset=True, asked_cursor=1)
    assert kiosk.ledger.adopt(restored) is not None
    kiosk.check_next("kiosk-1", 1)
    assert {each.held.revision for each in kiosk.ledger.batch(10, None) if each.held} == {3}
    assert kiosk.state(2) == "UNREGISTERED"


def test_what_was_judged_in_an_epoch_of_before_is_sent_again_though_it_cannot_be_read(kiosk: Kiosk):
    kiosk.judge_all()
    kiosk.ledger.start_epoch(5)
    kiosk.strike()
    kiosk.ledger.adopt(page(row(1), row(2), row(3), server_incarnation="two", reset=True, asked_cursor=1))
    kiosk.check_next("kiosk-1", 6)
    assert kiosk.state(2) == "UNREGISTERED"


def test_after_another_enrolment_it_goes_on_under_the_new_name(kiosk: Kiosk):
    kiosk.strike()
    kiosk.ledger.enrol(enrolment(kiosk_id="kiosk-2"))
    kiosk.check_next("kiosk-2", 1)
    kiosk.ledger.adopt(page(row(1), row(2), row(3)))
    assert kiosk.state(2) == "UNREGISTERED"


def test_after_another_enrolment_by_a_restored_centre_judged_actions_go_again(kiosk: Kiosk):
    kiosk.judge_all()
    kiosk.strike()
    kiosk.ledger.enrol(enrolment(kiosk_id="kiosk-2", server_incarnation="two"))
    kiosk.check_next("kiosk-2", 1)
    assert [each.status for each in kiosk.rows()] == ["pending"] * 3


@pytest.mark.parametrize(
    ("code", "patient_id"), [(Code.QUARANTINED, None), (Code.REBOUND, "P2"), (Code.OK, "P1")], ids=str
)
def test_its_verdict_retires_it(kiosk: Kiosk, code: Code, patient_id: str | None):
    kiosk.strike()
    judged = VerdictRow(action_id=kiosk.ids[1], seq=2, verdict=Verdict.NEEDS_STAFF, code=code, patient_id=patient_id)
    assert kiosk.ledger.retire([judged]) == {"P2", patient_id or "P2"}
    assert kiosk.parts.pending() == 2
    assert kiosk.state(2) == "UNREGISTERED"


def test_the_verdict_of_another_action_still_moves_the_patient(tmp_path: Path):
    """An unknown card becomes a patient's, although one of its actions cannot be read."""
    parts = enrolled(tmp_path, Clock())
    store, journeys = parts.store, parts.journeys
    for action_type in ("scan_nfc", "register"):
        journeys.check_in_unknown("card-9", cards(9), action_type, None)  # type: ignore[arg-type]
    with store.write() as db:
        db.execute("update outbox set body = x'7b' where action_type = 'scan_nfc'")
    with store.read() as db:
        register = outbox.rows(db)[1]
    judged = VerdictRow(action_id=register.action_id, seq=2, verdict=Verdict.APPLIED, code=Code.OK, patient_id="P1")
    assert parts.ledger.retire([judged]) == {"card-9", "P1"}
    assert parts.resolve("card-9") == "P1"
    store.close()


def test_a_press_that_comes_again_is_known_by_what_the_row_says(kiosk: Kiosk):
    kiosk.strike()
    again = kiosk.journeys.act("P2", "scan_nfc", kiosk.ids[1], {})
    assert (again.refusal, again.action_ids) == (None, (kiosk.ids[1],))
    other = kiosk.journeys.act("P2", "register", kiosk.ids[1], {})
    assert other.refusal is not None
    assert other.refusal.code is RefusalCode.NOT_ALLOWED


@pytest.mark.parametrize("held", ["update outbox set code = 'okay'", "update outbox set status = 'aplied'"])
def test_a_verdict_that_cannot_be_read_is_not_told(kiosk: Kiosk, held: str):
    kiosk.judge_all()
    with kiosk.store.write() as db:
        db.execute(held)
    assert [each.held for each in kiosk.ledger.batch(10, 1)] == [None] * 3
    kiosk.ledger.adopt(page(row(1), row(2), row(3), server_incarnation="two", reset=True, asked_cursor=1))
    assert [each.held for each in kiosk.ledger.batch(10, None)] == [None] * 3


def test_a_row_whose_id_is_not_that_of_its_body_goes_unread_and_a_fork_comes_to_an_end(tmp_path: Path):
    made = Kiosk(tmp_path, lambda body, _: body)
    with made.store.write() as db:
        db.execute("update outbox set action_id = 'another' where patient_id = 'P2'")
    made.ledger.start_epoch(2)
    unread = made.ledger.batch(10, None)[1].opaque
    assert unread is not None
    assert unread.action_id == "another"
    assert made.ids[1].encode() in base64.b64decode(unread.body)
    assert len(made.rows()) == 3
    made.store.close()


def test_of_a_record_that_no_push_could_hold_the_beginning_goes_and_its_size(tmp_path: Path):
    made = Kiosk(tmp_path, lambda body, _: body + b"x" * 500_000)
    made.strike()
    made.check_next("kiosk-1", 1)
    unread = made.ledger.batch(10, None)[1].opaque
    assert unread is not None
    assert unread.size == len(made.damaged)
    made.store.close()


def test_a_press_that_says_too_much_is_refused_and_nothing_of_it_stays(tmp_path: Path):
    parts = enrolled(tmp_path, Clock())
    store, journeys = parts.store, parts.journeys
    journeys.tap(cards(1), ("scan_nfc",))
    before = journeys.patient_status("P1")
    acted = journeys.act("P1", "register", None, {"answers": {"why": "x" * MAX_ACTION_BODY}})
    assert acted.refusal is not None
    assert (acted.refusal.code, acted.refusal.journey_state) == (RefusalCode.TOO_LARGE, "ARRIVED")
    assert journeys.patient_status("P1") == before
    assert journeys.act("P1", "register", None, {"answers": {"why": "x" * 1000}}).action_ids
    store.close()
