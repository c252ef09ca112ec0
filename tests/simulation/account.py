"""The account of a kiosk that lies, and of all event times, in a world at rest.

The liar may do what any kiosk of an entrance may do for a patient of the roster, and does that for its own patients
alone. So each of its effects is such an action of theirs, and names the liar as its source. Nothing is dated before the
last call that told that it had not happened.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tests.simulation.hospital import ENTRANCE, LIARS_OWN
from tests.simulation.liar import KIOSK_ID, Liar
from tests.simulation.world import MINUTE, World

EARLY_MS = 2 * MINUTE  # a pull is noted once a minute, and may be on its way for a minute
Found = Iterator[tuple[str, str]]


def effects_of_the_liar(world: World) -> Found:
    """Every row that names the liar is an action that it sent, of a patient of its own and of its grants."""
    if world.liar is None:
        return
    rows = world.centre.rows(
        "select action_id, patient_id, action, happened_ms, trigger_type from transitions where source = :id",
        id=KIOSK_ID,
    )
    for row in rows:
        if row["patient_id"] not in LIARS_OWN or row["action"] not in ENTRANCE:
            yield "believed", f"the liar did {row['action']} for {row['patient_id']}"
        if row["action_id"] not in world.liar.said:
            yield "believed", f"{row['action_id']} counts as the liar's, which never sent it"
    yield from _numbers(world, world.liar)
    yield from _sources(world, world.liar)


def _numbers(world: World, liar: Liar) -> Found:
    for row in world.centre.rows("select queue_id, queue_number, label_aliases from entries"):
        numbers = {row["queue_number"], *msgspec.json.decode(row["label_aliases"])}
        if false := numbers & liar.false_numbers:
            yield "believed", f"entry {row['queue_id']} bears {false}"


def _sources(world: World, liar: Liar) -> Found:
    """All that the liar caused can be listed by its id."""
    rows = world.centre.rows("select action_id, source from transitions where action_id is not null")
    for action_id, source in rows:
        if action_id in liar.said and source != KIOSK_ID and not liar.said[action_id].is_anothers:
            yield "believed", f"{action_id} of the liar counts as {source}'s"


def event_times(world: World) -> Found:
    """No arrival overtakes an earlier one by its date: a liar's by what it told, another kiosk's by the true time."""
    rows = world.centre.rows(
        "select t.action_id, t.source, t.happened_ms, t.recorded_ms, t.time_quality from transitions t"
        " join kiosks k on k.kiosk_id = t.source where t.action_id is not null"
    )
    wrong = {kiosk.link.kiosk_id for kiosk in world.kiosks if kiosk.clock_was_wrong} | world.books.suspects
    for action_id, source, happened_ms, recorded_ms, quality in rows:
        if happened_ms > recorded_ms:
            yield "misdated", f"{action_id} of {source} is dated {happened_ms - recorded_ms} ms ahead"
        earliest_ms = None
        if world.liar and source == KIOSK_ID and action_id in world.liar.said:
            earliest_ms = world.liar.said[action_id].not_before_ms
        elif source not in wrong and quality in ("measured", "synchronised"):
            earliest_ms = world.done_ms.get(action_id)
        if earliest_ms is not None and happened_ms < earliest_ms - EARLY_MS:
            early_s = (earliest_ms - happened_ms) // 1000
            yield "misdated", f"{action_id} of {source} is dated {early_s} s before it can have happened"
