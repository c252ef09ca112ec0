"""The replay of pending actions on a base: it leaves out actions that no longer fit, and keeps days apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sync.journey.model import Action, ActionId, Actor, Appointment, Decision, Journey, Opens, QueueId, Role, VisitId
from sync.journey.rules import decide
from sync.rebase import Pending, as_of, fits, rebase, view, with_bookings
from tests.sync.journey.samples import DAY, DESK, NEXT_DAY, RULES, action, booking, decided, entry, patient

EVERYTHING = Actor(Role.KIOSK, frozenset(RULES.actions))
NO_BOOKINGS: tuple[Appointment, ...] = ()


def nothing(_: str) -> tuple[Appointment, ...]:
    return NO_BOOKINGS


def asked_here(name: str) -> Action:
    """An action of a kiosk that is granted every action, with the proof that it needs."""
    return action(name, EVERYTHING, payload={"receipt_id": "R-1"} if RULES.actions[name].proof else {})


class Kiosk:
    """Acts on a journey as a kiosk does, and keeps the actions."""

    def __init__(self, journey: Journey, day: str = DAY) -> None:
        self.journey = journey
        self.day = day
        self.pending: list[Pending] = []

    def act(self, name: str) -> None:
        before, number = self.journey, len(self.pending) + 1
        opens = Opens(VisitId("mine"), QueueId(f"k{number}"), f"K-{number:03d}", DESK)
        asked = replace(asked_here(name), action_id=ActionId(f"k{number}"), opens=opens)
        after = decided(before, asked).journey
        visit_id = after.visit_id or before.visit_id
        assert visit_id is not None
        self.pending.append(Pending(asked, visit_id, before.leg, before.state, self.day))
        self.journey = after


def kiosk(*names: str, start: Journey | None = None) -> Kiosk:
    made = Kiosk(start or patient("UNREGISTERED", [booking("X"), booking("Y", 2000)]))
    for name in names:
        made.act(name)
    return made


def test_all_actions_fit_on_the_base_on_which_they_were_made():
    base = patient("UNREGISTERED", [booking("X")])
    did = kiosk("scan_nfc", "register", "confirm_arrival", start=base)
    shown = rebase(RULES, base, did.pending)
    assert (shown.journey, shown.unfit) == (did.journey, ())


def test_without_pending_actions_the_base_is_shown():
    base = patient("CALLED", entries=[entry(1, state="called")], current=1)
    assert view(RULES, base, [], DAY, nothing).journey == base


def test_an_action_that_the_base_holds_already_is_not_done_twice():
    did = kiosk("scan_nfc", "register", "confirm_arrival")
    for done in range(1, 4):
        start = patient("UNREGISTERED", [booking("X"), booking("Y", 2000)])
        base = rebase(RULES, start, did.pending[:done]).journey
        shown = rebase(RULES, base, did.pending)
        assert shown.journey == did.journey
        assert shown.unfit == tuple(p.action.action_id for p in did.pending[:done])


def test_a_late_confirmation_of_the_first_exam_never_queues_the_second():
    at_first = kiosk("scan_nfc", "register")
    pending = kiosk("confirm_arrival", start=at_first.journey).pending
    seen = at_first.journey
    for name in ("confirm_arrival", "call_patient", "start_exam", "complete_exam"):
        seen = decided(seen, action(name)).journey
    shown = rebase(RULES, seen, pending)
    assert (shown.journey.state, shown.journey.leg) == ("COMPLETED", 1)
    assert shown.unfit == ("k1",)


def test_a_payment_that_the_base_holds_does_not_count_as_the_next_one():
    paying = kiosk("make_payment", start=patient("COMPLETED"))
    base = paying.journey
    assert rebase(RULES, base, paying.pending).journey.state == "PAYMENT"
    both = kiosk("make_payment", "make_payment", start=patient("COMPLETED"))
    assert rebase(RULES, base, both.pending).journey.state == "FINISHED"
    assert rebase(RULES, base, both.pending).unfit == ("k1",)


def test_an_action_of_another_visit_is_left_out_until_its_alias_is_known():
    did = kiosk("scan_nfc", "register")
    elsewhere = replace(patient("ARRIVED", [booking("X")]), visit_id=VisitId("theirs"))
    assert rebase(RULES, elsewhere, did.pending).journey.state == "ARRIVED"
    followed = [replace(p, visit_id=VisitId("theirs")) for p in did.pending]
    shown = rebase(RULES, elsewhere, followed)
    assert (shown.journey.state, shown.journey.visit_id) == ("REGISTERED", "theirs")
    assert shown.unfit == ("k1",)


def test_an_action_that_the_rules_now_refuse_is_unfit():
    pending = kiosk("scan_nfc").pending
    without_grants = replace(pending[0], action=replace(pending[0].action, actor=Actor(Role.KIOSK)))
    assert rebase(RULES, patient(), [without_grants]).unfit == ("k1",)


def test_a_payment_without_a_receipt_is_not_replayed():
    (pending,) = kiosk("make_payment", start=patient("COMPLETED")).pending
    unproven = replace(pending, action=replace(pending.action, payload={}))
    shown = rebase(RULES, patient("COMPLETED"), [unproven])
    assert (shown.journey.state, shown.unfit) == ("COMPLETED", ("k1",))


def test_day_visit_leg_and_state_must_all_fit():
    here = patient("COMPLETED", entries=[entry(1, state="completed")], current=1)
    pending = kiosk("make_payment", start=here).pending[0]
    assert fits(here, pending)
    for other in (
        replace(pending, visit_id=VisitId("other")),
        replace(pending, leg=2),
        replace(pending, journey_state="PAYMENT"),
        replace(pending, site_day=NEXT_DAY),
    ):
        assert not fits(here, other)


# Days.


def test_a_journey_of_an_earlier_day_has_its_day_ended_and_gets_the_new_bookings():
    base = patient("WAITING", [booking("X", status="waiting")], [entry(1)], 1)
    today = as_of(RULES, base, NEXT_DAY, (booking("Y"),))
    assert (today.state, today.site_day, today.entries) == ("UNREGISTERED", NEXT_DAY, ())
    assert [a.exam_id for a in today.appointments] == ["Y"]


def test_a_journey_of_today_or_later_is_left_alone():
    base = patient("WAITING", entries=[entry(1)], current=1)
    assert as_of(RULES, base, DAY, (booking("Y"),)) is base
    assert as_of(RULES, base, "2026-03-01", (booking("Y"),)) is base


def test_yesterdays_actions_move_yesterdays_journey_and_never_todays():
    base = patient("UNREGISTERED", [booking("X")])
    did = kiosk("scan_nfc", "register", start=base)
    shown = view(RULES, base, did.pending, NEXT_DAY, lambda day: (booking("Z"),) if day == NEXT_DAY else ())
    assert (shown.journey.state, shown.journey.site_day, shown.unfit) == ("UNREGISTERED", NEXT_DAY, ())
    assert [a.exam_id for a in shown.journey.appointments] == ["Z"]


def test_yesterdays_actions_are_unfit_on_a_base_of_today():
    did = kiosk("scan_nfc", "register")
    base = replace(patient(), site_day=NEXT_DAY)
    shown = view(RULES, base, did.pending, NEXT_DAY, nothing)
    assert (shown.journey, shown.unfit) == (base, ("k1", "k2"))


def test_both_days_of_an_offline_kiosk_are_replayed_in_order():
    base = patient("UNREGISTERED", [booking("X")])
    yesterday = kiosk("scan_nfc", "register", start=base)
    today = Kiosk(as_of(RULES, yesterday.journey, NEXT_DAY, ()), NEXT_DAY)
    today.act("scan_nfc")
    shown = view(RULES, base, yesterday.pending + today.pending, NEXT_DAY, nothing)
    assert (shown.journey.state, shown.journey.visit_id, shown.unfit) == ("ARRIVED", "mine", ())


def test_actions_of_a_day_are_replayed_on_the_bookings_of_that_day():
    at_dawn = as_of(RULES, patient(), NEXT_DAY, (booking("Y"),))
    did = Kiosk(at_dawn, NEXT_DAY)
    for name in ("scan_nfc", "register", "confirm_arrival"):
        did.act(name)
    shown = view(RULES, patient(), did.pending, NEXT_DAY, lambda day: (booking("Y"),) if day == NEXT_DAY else ())
    assert shown.journey == did.journey
    assert [each.exam_id for each in shown.journey.entries] == ["Y"]


def test_bookings_that_are_added_take_their_place_by_time():
    shown = with_bookings(patient("ARRIVED", [booking("X", 2000)]), [booking("Z", 3000), booking("Y", 1000)])
    assert [each.exam_id for each in shown.appointments] == ["Y", "X", "Z"]


def test_a_booking_that_the_journey_has_is_not_added_again():
    arrived = booking("X", status="arrived")
    assert with_bookings(patient("ARRIVED", [arrived]), [booking("X")]).appointments == (arrived,)


def test_a_booking_that_was_used_before_its_day_is_not_fresh_on_its_day():
    base = patient("FINISHED", [booking("X", status="completed")])
    assert as_of(RULES, base, NEXT_DAY, (booking("X"),)).appointments == ()


def test_a_day_that_has_not_come_is_a_clock_that_was_ahead_and_counts_as_today():
    base = patient("UNREGISTERED", [booking("X")])
    did = kiosk("scan_nfc", start=base)
    ahead = [replace(p, site_day="2099-01-01") for p in did.pending]
    shown = view(RULES, base, ahead, DAY, nothing)
    assert (shown.journey.state, shown.journey.site_day) == ("ARRIVED", DAY)


def test_who_is_in_the_exam_room_over_night_is_still_there_and_can_go_on():
    base = patient("CALLED", entries=[entry(1, state="called")], current=1)
    did = kiosk("enter_exam_room", start=base)
    over_night = Kiosk(as_of(RULES, did.journey, NEXT_DAY, ()), NEXT_DAY)
    over_night.act("complete_exam")
    shown = view(RULES, base, did.pending + over_night.pending, NEXT_DAY, nothing)
    assert (shown.journey.state, shown.unfit) == ("COMPLETED", ())


NAMES = st.lists(st.sampled_from(sorted(RULES.actions)), max_size=12)


@given(NAMES, NAMES, st.data())
def test_replaying_is_the_same_whatever_part_the_base_has_taken_in_so_far(mine, theirs, data) -> None:
    """The centre applies a prefix of the pending actions, and others act in between. No fitting action is lost or done
    twice.
    """
    start = patient("UNREGISTERED", [booking("X"), booking("Y", 2000)])
    did = Kiosk(start)
    for name in mine:
        asked = replace(asked_here(name), action_id=ActionId("try"))
        if isinstance(decide(RULES, did.journey, asked), Decision):
            did.act(name)
    taken = data.draw(st.integers(0, len(did.pending)))
    base = rebase(RULES, start, did.pending[:taken]).journey
    shown = rebase(RULES, base, did.pending)
    if "leave_hospital" not in [p.action.action_type for p in did.pending[:taken]]:
        assert shown.journey == did.journey
    for name in theirs:
        outcome = decide(RULES, base, action(name))
        base = outcome.journey if isinstance(outcome, Decision) else base
    moved = rebase(RULES, base, did.pending)
    assert moved.journey.journey_version == base.journey_version + len(did.pending) - len(moved.unfit)
    assert rebase(RULES, base, did.pending) == moved
