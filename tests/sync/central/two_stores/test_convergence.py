"""Two kiosks, staff, and any order of taps, deliveries and losses: both ends agree at rest, and no action is lost or
done twice.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.store import outbox
from sync.central.conflicts.gather import judging_context
from sync.central.conflicts.rejudge import rejudge_card
from sync.central.maintenance.health import check
from sync.central.records.bindings import bind
from sync.central.records.journeys import mark_changed
from sync.clock import site_day
from sync.ids import new_id
from sync.journey.model import STAFF
from sync.journey.rules import available_actions
from tests.sync.central.wire import BY_STAFF, EVERYTHING, PATIENTS, ZONE, Centre, Kiosk, Time, cards_of

LONG = bool(os.environ.get("LONG"))
CARDS = (*PATIENTS, "new")
kiosk_index = st.sampled_from([0, 1])
patients = st.sampled_from(PATIENTS)
cards = st.sampled_from(CARDS)

STEPS = st.one_of(
    st.tuples(st.just("tap"), kiosk_index, cards),
    st.tuples(st.just("go_on"), kiosk_index, cards, st.integers(1, 4)),
    st.tuples(st.just("staff"), patients, st.integers(0, 8)),
    st.tuples(st.just("entry"), patients, st.sampled_from(("delayed", "called", "waiting", "cancelled"))),
    st.tuples(st.just("give"), cards, patients),
    st.tuples(st.just("push"), kiosk_index, st.sampled_from(("whole", "request lost", "reply lost", "in parts"))),
    st.tuples(st.just("pull"), kiosk_index, st.sampled_from(("whole", "reply lost"))),
    st.tuples(st.just("pass"), st.sampled_from((0.0, 1.0, 7.5, 19 * 60.0, 24 * 60.0))),
    st.tuples(st.just("reboot"), kiosk_index),
    st.tuples(st.just("epoch"), kiosk_index),
)


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A hospital with two enrolled kiosks, made once and copied for each example."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        centre = Centre(path / "centre.db", Time())
        for prefix in "AB":
            kiosk = Kiosk(path / f"{prefix}.db", centre, prefix, EVERYTHING)
            kiosk.pull()
            kiosk.store.close()
        centre.store.close()
        yield path


@dataclass
class World:
    """The hospital of one example."""

    centre: Centre
    kiosks: list[Kiosk]

    def tap(self, index: int, card: str) -> None:
        kiosk = self.kiosks[index]
        if kiosk.tap(card) is None:
            kiosk.check_in_unknown(card)

    def go_on(self, index: int, card: str, times: int) -> None:
        """The holder of the card does the offered action, a number of times."""
        kiosk = self.kiosks[index]
        patient_id = kiosk.parts.patient_of_card(cards_of(card))
        for _ in range(times if patient_id else 0):
            status = kiosk.journeys.patient_status(str(patient_id))
            if status is not None and status.available:
                kiosk.act(str(patient_id), status.available[0])

    def staff(self, patient_id: str, choice: int) -> None:
        """Staff do one of the actions that the rules allow now."""
        offered = available_actions(self.centre.definitions, self.centre.journey(patient_id), STAFF)
        if offered:
            self.centre.staff(offered[choice % len(offered)], patient_id)

    def entry(self, patient_id: str, state: str) -> None:
        entry = self.centre.journey(patient_id).current
        if entry is not None:
            self.centre.change_entry(entry.queue_id, state)

    def give(self, card: str, patient_id: str) -> None:
        """Staff bind a card to a patient. Another patient may have held it before."""
        with self.centre.store.write() as db:
            bind(db, patient_id, cards_of(card), new_id(), self.centre.time(), BY_STAFF)
            for each in PATIENTS:
                mark_changed(db, each)
            context = judging_context(db, self.centre.definitions, new_id, self.centre.time())
            rejudge_card(db, context, cards_of(card), "desk")

    def push(self, index: int, how: str) -> None:
        kiosk = self.kiosks[index]
        kiosk.wire.lose_requests = int(how == "request lost")
        kiosk.wire.lose_replies = int(how == "reply lost")
        kiosk.pusher.limit = 1 if how == "in parts" else 100
        kiosk.pusher.run_once()
        kiosk.wire.lose_requests = kiosk.wire.lose_replies = 0

    def pull(self, index: int, how: str) -> None:
        kiosk = self.kiosks[index]
        kiosk.wire.lose_replies = int(how == "reply lost")
        kiosk.puller.run_once()
        kiosk.wire.lose_replies = 0

    def pass_(self, minutes: float) -> None:
        self.centre.time.pass_minutes(minutes)

    def reboot(self, index: int) -> None:
        self.kiosks[index].reboot()

    def epoch(self, index: int) -> None:
        """The kiosk's disk was set back, so that its chain does not fit: it asks for a new epoch."""
        kiosk = self.kiosks[index]
        with kiosk.store.write() as db:
            db.execute("update identity set last_hash = 'lost'")

    def heal(self) -> None:
        for kiosk in self.kiosks:
            kiosk.push()
        for kiosk in self.kiosks:
            kiosk.pull()

    def close(self) -> None:
        for kiosk in self.kiosks:
            kiosk.store.close()
        self.centre.store.close()


@settings(
    max_examples=1500 if LONG else 25,
    derandomize=not LONG,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=1, max_size=40))
def test_after_any_order_of_events_both_ends_agree(template: Path, steps: list[tuple[object, ...]]):
    with tempfile.TemporaryDirectory() as name:
        world = copied(template, Path(name))
        try:
            for step in steps:
                play(world, step)
            world.heal()
            assert_same_at_both_ends(world)
            assert_every_action_has_one_verdict(world)
            assert_well(world)
        finally:
            world.close()


def copied(template: Path, path: Path) -> World:
    for file in template.iterdir():
        shutil.copy(file, path / file.name)
    centre = Centre(path / "centre.db", Time())
    return World(centre, [Kiosk(path / f"{prefix}.db", centre, prefix) for prefix in "AB"])


def play(world: World, step: tuple[object, ...]) -> None:
    name = "pass_" if step[0] == "pass" else str(step[0])
    method: Callable[..., None] = getattr(world, name)
    method(*step[1:])


def assert_same_at_both_ends(world: World) -> None:
    """A kiosk holds the patients of the roster as the centre does. A patient who has left may stay, without a visit."""
    for kiosk in world.kiosks:
        for patient_id in PATIENTS:
            journey = world.centre.journey(patient_id)
            if journey.visit_id is not None or journey.appointments:
                assert kiosk.base(patient_id) == journey
                assert kiosk.view(patient_id) == journey
            elif kiosk.base(patient_id) is not None:
                assert kiosk.view(patient_id).state == journey.state


def assert_every_action_has_one_verdict(world: World) -> None:
    latest = {
        row["verdict_id"]: (row["verdict"], row["code"])
        for row in world.centre.rows("select * from verdicts order by revision")
    }
    for kiosk in world.kiosks:
        with kiosk.store.read() as db:
            rows = outbox.rows(db)
        for row in rows:
            assert (row.status, row.code) == latest[row.action_id]
    applied = [action_id for action_id, (verdict, _) in latest.items() if verdict == "applied"]
    did = [
        row["action_id"]
        for row in world.centre.rows("select action_id from transitions where trigger_type <> 'queue_sync'")
        if row["action_id"]
    ]
    assert len(set(did)) == len(did)
    done = set(did)
    assert set(applied) <= done
    assert not done & (latest.keys() - set(applied))
    waiting = {row["verdict_id"] for row in world.centre.rows("select verdict_id from waiting")}
    assert waiting == {action_id for action_id, (verdict, _) in latest.items() if verdict == "needs_staff"}


def assert_well(world: World) -> None:
    with world.centre.store.read() as db:
        health = check(db, world.centre.definitions)
    assert not health.inconsistent
    assert not health.orphans
    assert not health.illegal_transitions
    # An entry that outlasts the night keeps its number into a day on which the number may be given again.
    rows = world.centre.rows(
        "select v.site_day as visit_day, e.site_day, e.opened_ms, e.queue_number"
        " from entries e join visits v on v.visit_id = e.visit_id"
    )
    given = [(site_day(int(str(row.pop("opened_ms"))), ZONE, "04:00"), *row.values()) for row in rows]
    assert len(set(given)) == len(given)
    assert not world.centre.rows("select * from quarantine")
