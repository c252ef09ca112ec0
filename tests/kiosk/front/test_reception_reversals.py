"""Reversals, which the centre decided otherwise than the screen had shown: shown to the patient until they are seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.front.screen import Notice, ScreenKind
from kiosk.front.visitor import DECIDE_S, SEEN_S
from sync.ids import new_id
from sync.journey.model import PatientId
from sync.protocol import Code, Verdict, VerdictRow
from tests.kiosk import samples
from tests.kiosk.house import House
from tests.kiosk.samples import uid


def test_a_reversal_is_shown_at_the_next_tap(house: House):
    greeted = house.reception.tap(uid(1))
    house.press(greeted)
    house.judge(Verdict.SUPERSEDED, Code.MOVED_ON)
    base = replace(samples.row(1).journey, state="COMPLETED", visit_id="v-1", leg=1, journey_version=9)
    page = samples.page(samples.row(1, change=2, journey=base), from_cursor=1, cursor=2)
    house.reception.update(house.ledger.adopt(page) or frozenset(), online=True)
    assert house.reception.tap(uid(1)).notice is Notice.REVERSED


def reverse(house: House) -> None:
    """The first patient taps and leaves, and staff discard the action."""
    house.reception.tap(uid(1))
    house.reception.leave()
    house.judge(Verdict.SUPERSEDED, Code.DISCARDED)


def notice_of_a_tap(house: House) -> Notice | None:
    """The notice of a tap of the first patient, whom the next tap leaves no time to read it."""
    shown = house.reception.tap(uid(1)).notice
    house.reception.tap(uid(2))
    return shown


def test_a_reversal_is_shown_at_a_tap_that_does_something_too(house: House):
    reverse(house)
    again = house.reception.tap(uid(1))
    assert (again.notice, again.confirmed, house.parts.pending()) == (Notice.REVERSED, False, 1)


def test_a_reversal_is_shown_until_it_has_stood_before_the_person_and_never_again(house: House):
    reverse(house)
    assert [notice_of_a_tap(house) for _ in range(3)] == [Notice.REVERSED] * 3
    house.reception.tap(uid(1))
    house.seconds.now += 1
    assert house.reception.tick() == SEEN_S - 1
    house.seconds.now += SEEN_S - 1
    assert house.reception.tick() == DECIDE_S - SEEN_S
    house.reception.update(frozenset({PatientId("P1")}), online=True)
    assert house.reception.screen().notice is Notice.REVERSED, "this screen goes on saying it"
    assert [notice_of_a_tap(house) for _ in range(2)] == [None, None]


@pytest.mark.parametrize(
    "deed",
    [
        pytest.param(lambda house: house.press(house.reception.screen()), id="press"),
        pytest.param(lambda house: house.reception.keep(), id="keep"),
        pytest.param(lambda house: house.reception.leave(), id="leave"),
    ],
)
def test_a_press_on_a_screen_counts_the_reversal_on_it_as_seen(house: House, deed: Callable[[House], object]):
    reverse(house)
    assert house.reception.tap(uid(1)).notice is Notice.REVERSED
    deed(house)
    assert notice_of_a_tap(house) is not Notice.REVERSED


def test_a_restart_forgets_neither_what_was_seen_nor_what_was_not(house: House, tmp_path: Path):
    reverse(house)
    house.reception.tap(uid(1))
    house.store.close()
    house.open(tmp_path)
    assert house.reception.tap(uid(1)).notice is Notice.REVERSED
    house.reception.leave()
    house.store.close()
    house.open(tmp_path)
    assert house.reception.tap(uid(1)).notice is None


def test_what_something_more_pressing_hides_waits_for_the_next_tap(house: House):
    house.reception.tap(uid(1))
    house.judge(Verdict.SUPERSEDED, Code.DISCARDED)
    refused = house.reception.act("confirm_arrival", "P1", new_id())
    assert refused.screen.notice is Notice.NOT_ALLOWED
    house.seconds.now += SEEN_S
    house.reception.tick()
    house.reception.leave()
    assert house.reception.tap(uid(1)).notice is Notice.REVERSED


def test_a_reversal_of_a_newer_revision_is_news(house: House):
    reverse(house)
    house.reception.tap(uid(1))
    house.reception.leave()
    with house.store.read() as db:
        first = db.execute("select action_id from outbox where status = 'superseded'").fetchone()[0]
    for revision, verdict in ((1, Verdict.APPLIED), (2, Verdict.SUPERSEDED)):
        again = VerdictRow(action_id=first, seq=1, verdict=verdict, code=Code.OK, revision=revision)
        house.ledger.retire([again])
    assert notice_of_a_tap(house) is Notice.REVERSED


def test_a_reversal_that_cannot_be_noted_as_seen_is_told_again(house: House):
    reverse(house)
    house.reception.tap(uid(1))
    with house.store.write() as db:
        db.execute(
            "create trigger stuck before update of seen_revision on outbox begin select raise(abort, 'stuck'); end"
        )
    house.seconds.now += SEEN_S
    house.reception.tick()
    assert house.reception.screen().screen is ScreenKind.ATTRACT
    with house.store.write() as db:
        db.execute("drop trigger stuck")
    assert house.reception.tap(uid(1)).notice is Notice.REVERSED
