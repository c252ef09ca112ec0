"""The screen of a visitor follows the store: the patient, the holder of the card, and the queue."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from kiosk.appliance.status import status
from kiosk.front.offer import Misplaced
from kiosk.front.reception import ENDED
from kiosk.front.screen import ScreenKind
from kiosk.front.visitor import INFORM_S
from sync.ids import new_id
from sync.journey.model import PatientId
from sync.protocol import Code, PatientRow, Verdict, VerdictRow
from tests.kiosk import samples
from tests.kiosk.reception_rig import ReceptionRig
from tests.kiosk.samples import uid


def test_the_screen_follows_a_provisional_patient_who_turns_out_to_be_somebody(rig: ReceptionRig):
    """The holder of an unknown card has checked in and is still here when the centre names the patient."""
    unknown = rig.tap(uid(9))
    pressed = rig.press(unknown)
    assert pressed.patient is not None
    with rig.store.read() as db:
        row = db.execute("select action_id, seq from outbox").fetchone()
    judged = VerdictRow(
        action_id=row["action_id"], seq=row["seq"], verdict=Verdict.APPLIED, code=Code.OK, patient_id="P2"
    )
    rig.reception.update(rig.ledger.retire([judged]), online=True)
    shown = rig.reception.screen()
    assert shown.patient is not None
    assert (shown.screen, shown.patient.patient_id, shown.patient.masked_name) == (ScreenKind.JOURNEY, "P2", "홍*동")
    late = rig.act("register", pressed.patient.patient_id, new_id())
    assert late.code == Misplaced.CONFLICT, "a press for the former patient id gets the new screen"
    assert late.screen.patient == shown.patient
    rig.press(late.screen)
    rig.reception.update(rig.pull(samples.row(1, change=2)), online=False)
    assert rig.reception.screen().patient == shown.patient, "the page of that patient binds the card"
    rig.reception.update(rig.pull(samples.row(3, change=3, bindings=samples.row(9).bindings)), online=False)
    assert rig.reception.screen().patient is None


# The queue of the patient on the screen.


def in_line(patient: int, number: str, opened: str, change: int, exam: str = "XRAY") -> PatientRow:
    """A patient who has waited since that time."""
    line = samples.entry(number, exam, opened=opened)
    waiting = replace(
        samples.row(patient).journey,
        state="WAITING",
        visit_id=f"v-{patient}",
        leg=1,
        journey_version=change,
        current_queue_id=line.queue_id,
        entries=(line,),
    )
    return samples.row(patient, change=change, journey=waiting)


def gone_on(patient: int, change: int) -> PatientRow:
    """A patient whose exam is done."""
    seen = replace(samples.row(patient).journey, state="COMPLETED", visit_id=f"v-{patient}", leg=1)
    return samples.row(patient, change=change, journey=replace(seen, journey_version=change))


@pytest.fixture
def waiting(rig: ReceptionRig) -> ReceptionRig:
    """The first patient is at the kiosk, with one person ahead in line."""
    rig.pull(in_line(1, "A-002", "08:50", 2), in_line(2, "A-001", "08:40", 2))
    rig.reception.update(frozenset(), online=True)
    shown = rig.tap(uid(1))
    assert shown.ticket is not None
    assert (shown.ticket.people_ahead, shown.ticket.estimated_wait_time) == (1, 10)
    rig.seconds.now += 5
    return rig


def test_the_people_ahead_follow_others_without_a_tap_and_the_time_goes_on(waiting: ReceptionRig):
    with waiting.reception.subscribe() as slot:
        waiting.reception.update(waiting.pull(in_line(3, "A-003", "08:30", 3)), online=True)
        longer = slot.take(5.0)
        waiting.reception.update(waiting.pull(gone_on(2, 4), gone_on(3, 4)), online=True)
        shorter = slot.take(5.0)
    assert longer is not None
    assert shorter is not None
    assert longer.ticket is not None
    assert shorter.ticket is not None
    assert (longer.ticket.people_ahead, longer.ticket.estimated_wait_time, longer.remaining_s) == (2, 20, INFORM_S - 5)
    assert (shorter.ticket.people_ahead, shorter.ticket.estimated_wait_time) == (0, 0)


def test_who_joins_another_line_or_behind_leaves_the_screen_as_it_is(waiting: ReceptionRig):
    frame = waiting.reception.screen().frame
    for row in (in_line(3, "A-003", "08:55", 3), in_line(3, "A-004", "08:30", 4, "BLOOD")):
        waiting.reception.update(waiting.pull(row), online=True)
    assert waiting.reception.screen().frame == frame


# A card that no longer means the patient on the screen.


def given_to_the_third(rig: ReceptionRig) -> frozenset[PatientId]:
    both = (*samples.row(3).bindings, *samples.row(1).bindings)
    return rig.pull(samples.row(1, bindings=()), samples.row(3, bindings=both))


def reported_lost(rig: ReceptionRig) -> frozenset[PatientId]:
    return rig.pull(samples.row(1, bindings=()), blocked=samples.cards(1))


def gone(rig: ReceptionRig) -> frozenset[PatientId]:
    rig.judge(Verdict.APPLIED, Code.OK)
    return rig.pull(gone=("P1",))


@pytest.mark.parametrize(
    "news",
    [
        pytest.param(ReceptionRig.rebind, id="rebound by a verdict"),
        pytest.param(given_to_the_third, id="given to another patient by a page"),
        pytest.param(lambda rig: rig.pull(samples.row(1, bindings=())), id="the binding was ended"),
        pytest.param(reported_lost, id="the card was reported lost"),
        pytest.param(gone, id="the patient has left the roster"),
        pytest.param(lambda rig: rig.ledger.end(), id="the kiosk was ended"),
    ],
)
def test_a_screen_is_left_at_once_when_its_card_no_longer_means_its_patient(
    rig: ReceptionRig, news: Callable[[ReceptionRig], frozenset[PatientId]]
):
    rig.reception.update(frozenset(), online=True)
    rig.tap(uid(1))
    with rig.reception.subscribe() as slot:
        rig.reception.update(news(rig), online=True)
        shown = slot.take(5.0)
    assert shown is not None
    assert (shown.patient, shown.journey, shown.next_action) == (None, None, None)
    assert rig.reception.screen() == shown
    waiting = rig.parts.pending()
    late = rig.act("register", "P1", new_id())
    assert (late.code == Misplaced.CONFLICT, late.screen.patient, rig.parts.pending()) == (True, None, waiting)


def test_nobody_acts_as_the_former_holder_even_before_the_screen_has_heard(rig: ReceptionRig):
    rig.tap(uid(1))
    touched = rig.rebind()
    with rig.reception.subscribe() as slot:
        acted = rig.act("register", "P1", new_id())
        shown = slot.take(5.0)
    assert (acted.code == Misplaced.CONFLICT, acted.screen.screen, rig.parts.pending()) == (True, ScreenKind.ATTRACT, 0)
    assert shown == acted.screen
    rig.reception.update(touched, online=False)
    assert rig.reception.screen().screen is ScreenKind.ATTRACT


def test_an_ended_kiosk_that_is_enrolled_again_does_not_show_who_stood_there_before(rig: ReceptionRig):
    rig.tap(uid(1))
    rig.reception.update(rig.ledger.end(), online=True)
    late = samples.page(samples.row(1))
    assert rig.ledger.adopt(late) is None, "a page that was under way brings nobody back"
    assert rig.reception.screen().screen is ScreenKind.OUT_OF_ORDER
    rig.ledger.enrol(samples.enrolment(token="another"))
    rig.reception.update(rig.ledger.adopt(late) or frozenset(), online=True)
    assert rig.reception.screen().screen is ScreenKind.ATTRACT


def test_news_that_leave_the_card_with_its_patient_leave_the_screen(rig: ReceptionRig):
    rig.tap(uid(1))
    rig.reception.update(rig.pull(samples.row(1, change=2), samples.row(2, bindings=())), online=True)
    shown = rig.reception.screen()
    assert shown.patient is not None
    assert shown.patient.patient_id == "P1"


def test_the_screen_waits_for_who_a_provisional_patient_turned_out_to_be(rig: ReceptionRig):
    """The verdict names a patient whom only the next page brings. The person reads on meanwhile."""
    pressed = rig.press(rig.tap(uid(9)))
    with rig.store.read() as db:
        row = db.execute("select action_id, seq from outbox").fetchone()
    answer = VerdictRow(
        action_id=row["action_id"], seq=row["seq"], verdict=Verdict.APPLIED, code=Code.OK, patient_id="P9"
    )
    rig.reception.update(rig.ledger.retire([answer]), online=True)
    meanwhile = rig.reception.screen()
    assert (meanwhile.patient, meanwhile.stay, meanwhile.said) == (pressed.patient, pressed.stay, pressed.said)
    assert (meanwhile.next_action, meanwhile.offer) == (None, None)
    rig.reception.update(rig.pull(samples.row(9)), online=True)
    shown = rig.reception.screen()
    assert shown.patient is not None
    assert shown.patient.patient_id == "P9"


def test_the_screen_follows_the_card_where_a_page_says_whose_it_is_before_the_verdict_does(rig: ReceptionRig):
    rig.press(rig.tap(uid(9)))
    rig.reception.update(rig.pull(samples.row(9)), online=True)
    shown = rig.reception.screen()
    assert shown.patient is not None
    assert (shown.screen, shown.patient.patient_id) == (ScreenKind.JOURNEY, "P9")


def test_a_kiosk_that_was_ended_serves_nobody_and_says_so(rig: ReceptionRig):
    rig.press(rig.tap(uid(1)))
    rig.reception.update(rig.ledger.end(), online=True)
    screen = rig.reception.screen()
    assert (screen.screen, screen.reason, screen.patient) == (ScreenKind.OUT_OF_ORDER, "not_enrolled", None)
    assert rig.reception.faults() == (ENDED,)
    assert rig.tap(uid(2)).screen is ScreenKind.OUT_OF_ORDER
    assert rig.parts.pending() == 2
    with rig.store.read() as db:
        answer = status(db, running=True, online=True, reason="ended", readers=(), faults=rig.reception.faults())
    assert (answer["ended"], answer["roster"]["patients"], answer["outbox"]["pending"]) == (True, 0, 2)


def test_who_was_ended_is_whole_again_after_an_enrolment(rig: ReceptionRig):
    rig.ledger.end()
    rig.ledger.enrol(samples.enrolment(epoch=1, kiosk_id="kiosk-2"))
    rig.ledger.adopt(samples.page(samples.row(1)))
    rig.reception.reset()
    assert rig.tap(uid(1)).screen is ScreenKind.JOURNEY
    assert rig.reception.faults() == ()


# A card that was reported lost.


def test_a_tap_with_a_card_that_was_reported_lost_names_nobody_and_does_nothing(rig: ReceptionRig):
    rig.pull(samples.row(1, bindings=()), blocked=samples.cards(1))
    screen = rig.tap(uid(1))
    assert (screen.screen, screen.reason) == (ScreenKind.REFUSED_CARD, "blocked_card")
    assert (screen.patient, screen.journey, screen.next_action) == (None, None, None)
    assert (rig.parts.pending(), rig.nudges) == (0, 0)
    with rig.store.read() as db:
        kinds = [tuple(row) for row in db.execute("select kind, detail from audit where kind = 'refused_tap'")]
    assert kinds == [("refused_tap", "blocked_card")]


def test_an_unknown_card_that_was_reported_lost_since_the_tap_cannot_check_in(rig: ReceptionRig):
    shown = rig.tap(uid(9))
    assert shown.patient is not None
    rig.reception.update(rig.pull(blocked=samples.cards(9)), online=True)
    pressed = rig.act("scan_nfc", shown.patient.patient_id, new_id())
    assert (pressed.code, pressed.screen.reason) == ("blocked_card", "blocked_card")
    assert (rig.parts.pending(), rig.nudges) == (0, 0)


def test_a_person_known_by_a_card_alone_leaves_the_screen_when_it_is_reported_lost(rig: ReceptionRig):
    rig.press(rig.tap(uid(9)))
    touched = rig.pull(blocked=samples.cards(9))
    assert touched, "the agent announces the page"
    rig.reception.update(touched, online=True)
    assert rig.reception.screen().screen is ScreenKind.ATTRACT
