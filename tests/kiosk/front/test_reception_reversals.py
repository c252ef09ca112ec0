"""Reversals, where the centre decided differently from the screen: the patient sees each once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from kiosk.front.present_screen import PROBE_S
from kiosk.front.screen import Screen, ScreenKind
from kiosk.front.visitor import HIDE_S, INFORM_S, SEEN_S
from sync.journey.model import PatientId
from sync.protocol import Code, Verdict, VerdictRow
from sync.words.words import NoteKind, Words
from tests.kiosk import samples
from tests.kiosk.reception_rig import ReceptionRig, noted
from tests.kiosk.samples import uid

REVERSED = (NoteKind.REVERSED,)


def test_a_reversal_is_shown_at_the_next_tap(rig: ReceptionRig):
    greeted = rig.tap(uid(1))
    rig.press(greeted)
    rig.judge(Verdict.SUPERSEDED, Code.MOVED_ON)
    base = replace(samples.row(1).journey, state="COMPLETED", visit_id="v-1", leg=1, journey_version=9)
    page = samples.page(samples.row(1, change=2, journey=base), from_cursor=1, cursor=2)
    rig.reception.update(rig.ledger.adopt(page) or frozenset(), online=True)
    assert noted(rig.tap(uid(1))) == REVERSED


def reverse(rig: ReceptionRig) -> None:
    """The first patient taps and leaves, and staff discard the action."""
    rig.tap(uid(1))
    rig.leave()
    rig.judge(Verdict.SUPERSEDED, Code.DISCARDED)


def notes_of_a_tap(rig: ReceptionRig) -> tuple[NoteKind, ...]:
    """The notes of a tap of the first patient. The next tap comes before the patient can read it."""
    shown = noted(rig.tap(uid(1)))
    rig.tap(uid(2))
    return shown


def test_a_reversal_is_shown_at_a_tap_that_does_something_too(rig: ReceptionRig):
    reverse(rig)
    again = rig.tap(uid(1))
    assert (noted(again), again.confirmed, rig.parts.pending()) == (REVERSED, False, 1)


def test_a_reversal_is_shown_until_it_has_stood_before_the_person_and_never_again(rig: ReceptionRig):
    reverse(rig)
    assert [notes_of_a_tap(rig) for _ in range(3)] == [REVERSED] * 3
    rig.tap(uid(1))
    rig.seconds.now += 1
    assert rig.reception.tick() == SEEN_S - 1
    rig.seconds.now += SEEN_S - 1
    assert rig.reception.tick() == HIDE_S - SEEN_S
    rig.reception.update(frozenset({PatientId("P1")}), online=True)
    assert noted(rig.reception.screen()) == REVERSED, "this screen goes on saying it"
    assert [notes_of_a_tap(rig) for _ in range(2)] == [(), ()]


@pytest.mark.parametrize(
    "press",
    [
        pytest.param(lambda rig: rig.press(rig.reception.screen()), id="press"),
        pytest.param(lambda rig: rig.keep(), id="keep"),
        pytest.param(lambda rig: rig.leave(), id="leave"),
    ],
)
def test_a_press_counts_the_reversal_on_the_screen_as_seen(rig: ReceptionRig, press: Callable[[ReceptionRig], object]):
    reverse(rig)
    assert noted(rig.tap(uid(1))) == REVERSED
    press(rig)
    assert NoteKind.REVERSED not in notes_of_a_tap(rig)


def test_a_restart_forgets_neither_what_was_seen_nor_what_was_not(rig: ReceptionRig, tmp_path: Path):
    reverse(rig)
    rig.tap(uid(1))
    rig.store.close()
    rig.open(tmp_path)
    assert noted(rig.tap(uid(1))) == REVERSED
    rig.leave()
    rig.store.close()
    rig.open(tmp_path)
    assert noted(rig.tap(uid(1))) == ()


def test_a_reversal_comes_at_once_before_the_person_whose_number_has_died(rig: ReceptionRig):
    waiting = rig.press(rig.press(rig.tap(uid(1))))
    assert waiting.ticket is not None
    rig.seconds.now += INFORM_S - 5
    rig.judge(Verdict.SUPERSEDED, Code.DISCARDED)
    told = rig.reception.screen()
    assert NoteKind.REVERSED in noted(told)
    assert told.remaining_s is not None
    assert told.remaining_s >= INFORM_S


def test_a_reversal_that_comes_to_a_screen_is_seen_by_a_touch_and_not_by_time(rig: ReceptionRig):
    """The person may have left the screen already."""
    rig.tap(uid(1))
    rig.judge(Verdict.SUPERSEDED, Code.DISCARDED)
    rig.seconds.now += SEEN_S
    rig.reception.tick()
    assert notes_of_a_tap(rig) == REVERSED
    shown = rig.tap(uid(1))
    rig.reception.touch(shown.stay)
    assert NoteKind.REVERSED not in notes_of_a_tap(rig)


def test_a_number_that_died_is_named_and_one_that_counts_still_is_not(rig: ReceptionRig):
    waiting = rig.press(rig.press(rig.tap(uid(1))))
    assert waiting.ticket is not None
    rig.judge(Verdict.SUPERSEDED, Code.DISCARDED)
    (note,) = [each for each in said(rig.tap(uid(1))).notes if each.text.values.get("numbers")]
    assert note.text.values["numbers"] == "B-001"
    journey = samples.row(1).journey
    line = replace(samples.entry("A-001"), label_aliases=("B-001",))
    rig.pull(samples.row(1, change=2, journey=replace(journey, state="WAITING", entries=(line,))))
    assert not [each for each in said(rig.tap(uid(1))).notes if each.text.values.get("numbers")]


def test_a_reversal_whose_body_is_damaged_is_told_without_its_number(rig: ReceptionRig):
    rig.press(rig.press(rig.tap(uid(1))))
    with rig.store.write() as db:
        db.execute("update outbox set body = x'00'")
    rig.judge(Verdict.SUPERSEDED, Code.DISCARDED)
    (note,) = said(rig.tap(uid(1))).notes
    assert note.text.text == "Your check-in was changed. Please ask here: {desk}"


def said(screen: Screen) -> Words:
    assert screen.said is not None
    return screen.said


def test_a_reversal_of_a_newer_revision_is_news(rig: ReceptionRig):
    reverse(rig)
    rig.tap(uid(1))
    rig.leave()
    with rig.store.read() as db:
        first = db.execute("select action_id from outbox where status = 'superseded'").fetchone()[0]
    for revision, verdict in ((1, Verdict.APPLIED), (2, Verdict.SUPERSEDED)):
        again = VerdictRow(action_id=first, seq=1, verdict=verdict, code=Code.OK, revision=revision)
        rig.ledger.retire([again])
    assert notes_of_a_tap(rig) == REVERSED


def test_a_reversal_that_cannot_be_noted_as_seen_is_told_again(rig: ReceptionRig):
    reverse(rig)
    rig.tap(uid(1))
    with rig.store.write() as db:
        db.execute(
            "create trigger stuck before update of seen_revision on outbox begin select raise(abort, 'stuck'); end"
        )
    rig.seconds.now += SEEN_S
    rig.reception.tick()
    assert rig.reception.screen().screen is ScreenKind.OUT_OF_ORDER
    with rig.store.write() as db:
        db.execute("drop trigger stuck")
    rig.seconds.now += PROBE_S
    rig.reception.tick()
    assert noted(rig.tap(uid(1))) == REVERSED
