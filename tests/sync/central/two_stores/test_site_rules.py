"""A site's own definitions, from the centre's database over the wire to the screen of a kiosk: data, and no code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kiosk.config import FlowSection
from kiosk.front.offer import DEAD_S, Press
from kiosk.front.reception import Reception
from kiosk.front.screen import Screen, ScreenKind
from kiosk.journey.this_kiosk import ThisKiosk
from sync.cards import canonical_card
from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.services.current_state import read_current_state
from sync.central.services.told import Told
from sync.clock import day_after
from sync.ids import new_id
from sync.journey.definitions import Definitions, read, shipped
from sync.journey.model import PATIENT
from tests.kiosk.reception_rig import Seconds, hold_card
from tests.site_rules import with_renamed, with_weighing
from tests.sync.central.two_stores.acts import verdicts
from tests.sync.central.wire import DAY, KEYS, Centre, Kiosk, Time, uid

SHIPPED = shipped().document


def put_in_force(centre: Centre, document: Mapping[str, Any]) -> None:
    """The service starts with these definitions, ends, and starts again with those of its database."""
    for _ in range(2):
        centre.store.close()
        centre.definitions = read(document)
        centre.open()


@dataclass
class Counter:
    """A kiosk with its screen."""

    kiosk: Kiosk
    reception: Reception
    seconds: Seconds

    def hold_card(self, patient_id: str) -> Screen:
        return hold_card(self.reception, self.seconds, canonical_card("iso14443a", uid(patient_id)))

    def press(self) -> Screen:
        """Presses the big button, and returns the screen after it."""
        shown = self.reception.screen()
        assert shown.patient is not None
        self.seconds.now += DEAD_S
        pressed = self.reception.act(Press(shown.offer, shown.patient.patient_id, shown.next_action or "", new_id()))
        assert pressed.error is None
        return pressed.screen


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre.db", Time())
    yield made
    made.store.close()


@pytest.fixture
def counter_of(tmp_path: Path, centre: Centre) -> Iterator[Callable[..., Counter]]:
    """Makes the counter of a kiosk that asked for these grants, with that `flow.auto` of its configuration."""
    made: list[Counter] = []

    def make(*grants: str, auto: bool = False) -> Counter:
        kiosk = Kiosk(tmp_path / f"{len(made)}.db", centre, "", grants)
        kiosk.pull()

        def automatic() -> tuple[str, ...]:
            identity = kiosk.journeys.identity
            assert identity is not None
            return FlowSection(auto=auto).automatic(identity.actions, kiosk.journeys.definitions.tap)

        seconds = Seconds()
        reception = Reception(kiosk.journeys, KEYS.hashes, automatic, lambda: None, monotonic=seconds)
        made.append(Counter(kiosk, reception, seconds))
        return made[-1]

    yield make
    for counter in made:
        counter.kiosk.store.close()


def actions_of(counter: Counter) -> frozenset[str]:
    identity = counter.kiosk.journeys.identity
    assert identity is not None
    return identity.actions


def orders(definitions: Definitions) -> list[object]:
    """The parts of the definitions with a visible order."""
    transitions = [list(actions) for actions in definitions.state_transitions().values()]
    return [list(definitions.actions), definitions.journey_states, definitions.ways, transitions]


def test_one_tap_does_every_step_where_it_does_all_that_is_granted(centre: Centre, counter_of: Callable[..., Counter]):
    put_in_force(centre, SHIPPED)
    screen = counter_of(auto=True).hold_card("P1")
    assert screen.journey is not None
    assert screen.ticket is not None
    assert (screen.journey.journey_state, screen.ticket.queue_number) == ("WAITING", "A-001")


def test_one_tap_does_every_step_after_a_pull_has_brought_the_definitions(
    centre: Centre, counter_of: Callable[..., Counter]
):
    counter = counter_of(auto=True)
    put_in_force(centre, {**SHIPPED, "version": 2})
    counter.kiosk.pull()
    assert counter.kiosk.journeys.definitions.version == 2
    screen = counter.hold_card("P1")
    assert screen.ticket is not None
    assert screen.ticket.queue_number == "A-001"
    assert [action for action, _, _ in counter.kiosk.statuses()] == ["scan_nfc", "register", "confirm_arrival"]


def test_definitions_keep_their_order_through_database_enrolment_pull_and_the_kiosks_store(
    centre: Centre, counter_of: Callable[..., Counter]
):
    put_in_force(centre, SHIPPED)
    counter = counter_of()
    assert orders(counter.kiosk.journeys.definitions) == orders(read(SHIPPED))
    newer = {**SHIPPED, "version": 2, "actions": SHIPPED["actions"][::-1]}
    put_in_force(centre, newer)
    counter.kiosk.pull()
    for kiosk in (counter.kiosk.parts.kiosk, ThisKiosk(counter.kiosk.store, counter.kiosk.clock)):
        assert orders(kiosk.definitions) == orders(read(newer)) == orders(centre.definitions)


def test_a_new_state_and_a_new_action_are_an_edit_of_data_up_to_the_screen(
    centre: Centre, counter_of: Callable[..., Counter]
):
    counter = counter_of()
    assert actions_of(counter) == {"scan_nfc", "register", "confirm_arrival"}
    put_in_force(centre, with_weighing(SHIPPED))
    counter.kiosk.pull()
    assert actions_of(counter) == {"scan_nfc", "weigh", "register", "confirm_arrival"}
    assert counter.reception.screen().ways[0] == ("card", "weigh", "register", "arrive", "wait")
    assert (counter.reception.screen().way, counter.reception.screen().step) == (0, 0)

    steps = [counter.hold_card("P1"), counter.press(), counter.press(), counter.press()]

    told = [(s.journey.journey_state, s.journey.available_actions, s.next_action) for s in steps if s.journey]
    assert told == [
        ("ARRIVED", ("weigh", "register"), "weigh"),
        ("WEIGHED", ("register",), "register"),
        ("REGISTERED", ("confirm_arrival",), "confirm_arrival"),
        ("WAITING", (), None),
    ]
    assert [(shown.way, shown.step) for shown in steps] == [(0, 1), (0, 2), (0, 3), (0, 4)]
    counter.kiosk.sync()
    assert verdicts(counter.kiosk) == [("applied", "ok")] * 4
    assert centre.journey("P1").state == "WAITING"
    assert [row["to_state"] for row in centre.rows("select to_state from transitions order by change")] == [
        "ARRIVED",
        "WEIGHED",
        "REGISTERED",
        "WAITING",
    ]
    counter.hold_card("P2")
    assert counter.kiosk.journeys.act("P2", "register", None, {}).refusal is None
    centre.staff("scan_nfc", "P3")
    current = read_current_state(centre.parts, PATIENT, "P3")
    assert isinstance(current, Told)
    assert current.value.available_actions == ("weigh", "register")


def test_a_state_of_a_site_that_is_no_step_does_not_throw_the_steps_back(
    centre: Centre, counter_of: Callable[..., Counter]
):
    counter = counter_of()
    put_in_force(centre, {**with_weighing(SHIPPED), "ways": SHIPPED["ways"]})
    counter.kiosk.pull()
    arrived, weighed, registered = counter.hold_card("P1"), counter.press(), counter.press()
    assert [shown.step for shown in (arrived, weighed, registered)] == [1, 1, 2]


def test_a_tap_opens_the_visit_where_a_site_has_renamed_the_action(centre: Centre, counter_of: Callable[..., Counter]):
    put_in_force(centre, {**with_renamed(SHIPPED, "scan_nfc", "hold_card"), "version": 2})
    counter = counter_of()
    assert actions_of(counter) == {"hold_card", "register", "confirm_arrival"}
    screen = counter.hold_card("P1")
    assert screen.journey is not None
    assert screen.journey.journey_state == "ARRIVED"
    stranger = counter.hold_card("a card of no patient")
    assert (stranger.screen, stranger.next_action) == (ScreenKind.UNKNOWN_CARD, "hold_card")
    assert counter.press().screen is ScreenKind.JOURNEY
    counter.kiosk.sync()
    assert verdicts(counter.kiosk) == [("applied", "ok"), ("needs_staff", "unknown_card")]


def test_what_a_kind_of_kiosk_is_granted_follows_the_centre_and_what_was_named_stays(
    centre: Centre, counter_of: Callable[..., Counter]
):
    entrance, exit_, named = counter_of(), counter_of("exit"), counter_of("scan_nfc", "register")
    kiosks = {**SHIPPED["kiosks"], "entrance": ["scan_nfc", "confirm_arrival"], "exit": ["make_payment"]}
    put_in_force(centre, {**SHIPPED, "version": 2, "kiosks": kiosks})
    for counter, before, after in (
        (entrance, {"scan_nfc", "register", "confirm_arrival"}, {"scan_nfc", "confirm_arrival"}),
        (exit_, {"leave_hospital"}, {"make_payment"}),
        (named, {"scan_nfc", "register"}, {"scan_nfc", "register"}),
    ):
        assert actions_of(counter) == before
        counter.kiosk.pull()
        assert actions_of(counter) == after


def test_what_a_kiosk_did_while_it_was_granted_counts_by_the_rules_that_it_knew(
    centre: Centre, counter_of: Callable[..., Counter]
):
    counter = counter_of()
    counter.hold_card("P1")
    counter.press()
    kiosks = {**SHIPPED["kiosks"], "entrance": ["scan_nfc", "confirm_arrival"]}
    put_in_force(centre, {**SHIPPED, "version": 2, "kiosks": kiosks})
    counter.kiosk.sync()
    assert verdicts(counter.kiosk) == [("applied", "ok")] * 2


def test_a_day_ends_with_equal_rows_where_an_app_or_a_kiosk_meets_its_end_first(
    centre: Centre, counter_of: Callable[..., Counter]
):
    tomorrow = {"appointment_id": "A9", "patient_id": "P2", "exam_id": "X", "scheduled_at": f"{day_after(DAY)}T10:00"}
    with centre.store.write() as db:
        take_hospital(
            db, centre.definitions, centre.parts.keys, read_hospital({"appointments": [tomorrow]}), centre.time()
        )
    counter = counter_of()
    for patient_id in ("P1", "P2"):
        for action in ("scan_nfc", "register", "confirm_arrival"):
            assert centre.staff(action, patient_id).done
    centre.time.pass_minutes(24 * 60)
    counter.kiosk.pull()
    assert centre.staff("scan_nfc", "P1").done
    counter.hold_card("P2")
    counter.kiosk.push()
    assert verdicts(counter.kiosk) == [("applied", "ok")]

    def closed(patient_id: str) -> list[dict[str, object]]:
        moves = centre.rows(
            "select from_state, to_state, action, trigger_type, source, action_id, leg, metadata, happened_ms,"
            " recorded_ms, time_quality from transitions where patient_id = :id and action = 'close_day'",
            id=patient_id,
        )
        history = centre.rows(
            "select previous, new, reason, who, action_id, happened_ms, recorded_ms from entry_history"
            " where patient_id = :id and reason = 'close_day'",
            id=patient_id,
        )
        return [*moves, *history]

    assert closed("P1") == closed("P2")
    assert [(row.get("source"), row.get("who")) for row in closed("P1")] == [("centre", None), (None, "system")]
