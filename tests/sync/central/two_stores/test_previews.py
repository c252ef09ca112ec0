"""What a settlement would do is told before. The settlement does just that, and the preview leaves nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from sync.central.records.site import read_site
from sync.central.services.current_state import CurrentState, current_state
from sync.central.services.foresee_case import Foreseen
from sync.central.store.schema import MIGRATIONS
from sync.journey.model import STAFF
from tests.sync.central.two_stores.acts import rewrite_last
from tests.sync.central.wire import Centre, Kiosk


@dataclass(frozen=True)
class Wish:
    """A case, and how staff want to settle it."""

    how: str
    make: Callable[[Centre, Kiosk, Kiosk], None]
    more: dict[str, Any] = field(default_factory=dict)


def _unknown_card(_: Centre, kiosk: Kiosk, __: Kiosk) -> None:
    kiosk.check_in_unknown("new")
    kiosk.sync()


def _unknown_card_at_two(centre: Centre, kiosk: Kiosk, other: Kiosk) -> None:
    _unknown_card(centre, kiosk, other)
    other.check_in_unknown("new")
    other.sync()


def _card_of_another(centre: Centre, kiosk: Kiosk, _: Kiosk) -> None:
    kiosk.tap("P2")
    centre.bind_card("P2", "P3")
    kiosk.sync()


def _blocked(centre: Centre, kiosk: Kiosk, _: Kiosk) -> None:
    kiosk.check_in("P1")
    centre.block_card("P1")
    kiosk.sync()


def _yesterday(centre: Centre, kiosk: Kiosk, other: Kiosk) -> None:
    _blocked(centre, kiosk, other)
    centre.time.pass_minutes(24 * 60)


WISHES = {
    "apply": Wish("apply", _blocked),
    "apply, on a later day": Wish("apply", _yesterday),
    "discard": Wish("discard", _blocked, {"reason": "a thief"}),
    "reassign": Wish("reassign", _blocked, {"patient_id": "P2"}),
    "reassign an unknown card": Wish("reassign", _unknown_card, {"patient_id": "P3"}),
    "reassign and bind": Wish("reassign", _unknown_card, {"patient_id": "P3", "bind": True}),
    "reassign and bind, seen at two kiosks": Wish("reassign", _unknown_card_at_two, {"patient_id": "P3", "bind": True}),
    "reassign and take the card back": Wish("reassign", _card_of_another, {"patient_id": "P2", "bind": True}),
}


@pytest.fixture(params=WISHES)
def wish(request: pytest.FixtureRequest, centre: Centre, kiosk: Kiosk, other: Kiosk) -> Wish:
    found = WISHES[request.param]
    found.make(centre, kiosk, other)
    return found


def preview(centre: Centre, wish: Wish) -> Foreseen:
    return centre.preview(wish.how, **{name: each for name, each in wish.more.items() if name != "reason"})


def whole_database(centre: Centre) -> dict[str, list[str]]:
    """Every row of every table."""
    tables = re.findall(r"create table (\w+)", " ".join(each for version in MIGRATIONS for each in version))
    assert len(tables) > 20
    return {table: sorted(str(row) for row in centre.rows(f"select * from {table}")) for table in tables}


def state_now(centre: Centre, patient_id: str) -> CurrentState:
    journey = centre.journey(patient_id)
    with centre.store.read() as db:
        return current_state(db, centre.definitions, read_site(db), journey, STAFF, centre.time())


def test_a_preview_leaves_nothing_behind_and_says_the_same_again(centre: Centre, wish: Wish):
    before, heard = whole_database(centre), list[object]()
    centre.store.news.follow(lambda: heard.append("news"), lambda: None)
    told = [preview(centre, wish) for _ in range(2)]
    assert told[0] == told[1]
    assert told[0].refusal is None
    assert whole_database(centre) == before
    assert heard == []


def test_a_settlement_does_what_its_preview_has_told(centre: Centre, wish: Wish):
    told = preview(centre, wish)
    befores = {each.patient_id: state_now(centre, each.patient_id) for each in told.patients}
    assert {each.patient_id: each.before for each in told.patients} == befores
    answer = centre.settle(wish.how, seen=told.seen, **wish.more)
    assert answer.done, answer.body
    settled = msgspec.json.decode(answer.body)
    assert {each.patient_id: each.after for each in told.patients} == {
        each.patient_id: state_now(centre, each.patient_id) for each in told.patients
    }
    own = [each for each in told.actions if each.exception_id == told.exception_id]
    assert [(each.action_id, each.verdict, each.code, each.patient_id) for each in own] == [
        (each["action_id"], each["verdict"], each["code"], each["patient_id"]) for each in settled["verdicts"]
    ]
    closed = centre.rows("select exception_id from exceptions where settled_ms is not null")
    assert {each["exception_id"] for each in closed} == {
        told.exception_id,
        *(each.exception_id for each in told.other_cases),
    }
    assert told.binds == (settled["binding_id"] is not None)


def test_two_cases_of_one_card_are_said_to_be_settled_together(centre: Centre, kiosk: Kiosk, other: Kiosk):
    _unknown_card_at_two(centre, kiosk, other)
    told = centre.preview("reassign", patient_id="P3", bind=True)
    assert [each.code for each in told.other_cases] == ["unknown_card"]
    assert {each.exception_id for each in told.actions} == {told.exception_id, told.other_cases[0].exception_id}
    alone = centre.preview("reassign", patient_id="P3")
    assert alone.other_cases == []
    assert not alone.binds


def test_the_patient_who_would_lose_the_card_is_named(centre: Centre, kiosk: Kiosk, other: Kiosk):
    _card_of_another(centre, kiosk, other)
    told = centre.preview("reassign", patient_id="P2", bind=True)
    assert told.card_of is not None
    assert told.card_of.patient_id == "P3"
    assert {each.patient_id for each in told.patients} == {"P2", "P3"}


@pytest.mark.parametrize(
    ("how", "more", "code"),
    [
        ("apply", {}, "not_applicable"),
        ("reassign", {"patient_id": "nobody"}, "unknown_patient"),
        ("reassign", {"patient_id": "P3", "bind": True}, "card_blocked"),
    ],
)
def test_a_settlement_that_is_refused_says_why_before(
    centre: Centre, kiosk: Kiosk, other: Kiosk, how: str, more: dict[str, Any], code: str
):
    _unknown_card(centre, kiosk, other)
    if code == "card_blocked":
        centre.block_card("new")
    before = whole_database(centre)
    told = centre.preview(how, **more)
    assert told.refusal is not None
    assert (told.refusal.code, told.patients, told.actions) == (code, [], [])
    assert whole_database(centre) == before
    answer = centre.settle(how, **more)
    assert msgspec.json.decode(answer.body)["code"] == code


def test_what_has_changed_since_it_was_seen_is_not_settled(centre: Centre, kiosk: Kiosk, other: Kiosk):
    _blocked(centre, kiosk, other)
    seen = centre.preview("apply").seen
    assert centre.staff("scan_nfc", "P1").done
    answer = centre.settle("apply", seen=seen)
    assert (answer.status, msgspec.json.decode(answer.body)["code"]) == (409, "case_changed")
    assert centre.open_cases() == ["blocked_card"]
    assert centre.settle("apply", seen=centre.preview("apply").seen).done


def test_others_in_the_line_change_nothing_that_was_seen(centre: Centre, kiosk: Kiosk, other: Kiosk):
    _blocked(centre, kiosk, other)
    seen = centre.preview("apply").seen
    for action in ("scan_nfc", "register", "confirm_arrival"):
        assert centre.staff(action, "P2").done
    centre.time.pass_minutes(3)
    assert centre.settle("apply", seen=seen).done


def test_the_preview_of_one_way_is_none_of_another(centre: Centre, kiosk: Kiosk, other: Kiosk):
    _blocked(centre, kiosk, other)
    seen = centre.preview("apply").seen
    answer = centre.settle("discard", reason="x", seen=seen)
    assert msgspec.json.decode(answer.body)["code"] == "case_changed"


def test_a_case_that_another_has_settled_is_said_to_be_settled(centre: Centre, kiosk: Kiosk, other: Kiosk):
    _blocked(centre, kiosk, other)
    seen, exception_id = centre.preview("apply").seen, centre.case_with()
    assert centre.settle("apply").done
    answer = centre.settle_case(exception_id, "apply", seen=seen)
    assert msgspec.json.decode(answer.body)["error"] == "The case is settled already."


def test_records_that_nobody_can_read_are_counted(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    with kiosk.store.write() as db:
        rewrite_last(db, leg=-1)
    kiosk.push()
    told = centre.preview("discard", "quarantined")
    assert (told.unread, told.actions, told.patients) == (1, [], [])
