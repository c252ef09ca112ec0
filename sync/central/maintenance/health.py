"""The health check: journeys and queue agree, no journey lacks its entry, and every transition was legal."""

import sqlite3

import msgspec

from sync.central.records.definitions import all_definitions
from sync.central.store.transactions import ReadTransaction, any_of
from sync.journey.definitions import Definitions
from sync.journey.model import Transition
from sync.journey.rules import is_legal

MAX_LISTED = 100


class Finding(msgspec.Struct, frozen=True):
    """A journey that is not in order: its state, and the state of its current entry."""

    patient_id: str
    journey_state: str
    queue_id: str | None
    entry_state: str | None


class IllegalTransition(msgspec.Struct, frozen=True):
    """A kind of transition that no rules allow, and the number of its rows."""

    from_state: str
    action: str
    to_state: str
    trigger_type: str
    rows: int


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the check. The lists of journeys have at most 100 items each; the counts are complete."""

    ok: bool
    inconsistent: list[Finding]
    orphans: list[Finding]
    illegal_transitions: list[IllegalTransition]
    patients: int
    live_entries: int
    waiting_for_staff: int
    journey_states: dict[str, int]
    queue_states: dict[str, int]


def check(db: ReadTransaction, definitions: Definitions) -> Health:
    """Checks every journey, and every kind of transition in the history."""
    orphans, inconsistent = _journeys(db, definitions)
    illegal = _illegal(db, definitions)
    names, live = any_of("state", definitions.live)
    return Health(
        ok=not (orphans or inconsistent or illegal),
        inconsistent=inconsistent,
        orphans=orphans,
        illegal_transitions=illegal,
        patients=db.value("select count(*) from patients"),
        live_entries=db.value(f"select count(*) from entries where state in {names}", **live),  # noqa: S608
        waiting_for_staff=db.value("select count(*) from exceptions where settled_ms is null"),
        journey_states=_counts(
            db, "select state, count(*) as rows from journeys group by state", definitions.journey_states
        ),
        queue_states=_counts(
            db, "select state, count(*) as rows from entries group by state", definitions.queue_states
        ),
    )


def _journeys(db: ReadTransaction, definitions: Definitions) -> tuple[list[Finding], list[Finding]]:
    """Journeys without the live entry that their state needs, and journeys whose entry has another state."""
    rows = db.execute(
        "select j.patient_id, j.state as journey_state, e.queue_id, e.state as entry_state"
        " from journeys j left join entries e on e.queue_id = j.current_queue_id and e.patient_id = j.patient_id"
        " and e.site_day = j.site_day order by j.patient_id"
    )
    orphans, inconsistent = [], []
    mapped = set(definitions.queue_to_journey.values())
    known = set(definitions.journey_states)
    for row in rows:
        state, entry_state = row["journey_state"], row["entry_state"]
        finding = Finding(row["patient_id"], state, row["queue_id"], entry_state)
        if state not in known:
            inconsistent.append(finding)
        elif state not in mapped:
            continue
        elif entry_state is None or (_needs_live_entry(definitions, state) and entry_state not in definitions.live):
            orphans.append(finding)
        elif definitions.queue_to_journey.get(entry_state) != state:
            inconsistent.append(finding)
    return orphans[:MAX_LISTED], inconsistent[:MAX_LISTED]


def _needs_live_entry(definitions: Definitions, journey_state: str) -> bool:
    return definitions.journey_to_queue.get(journey_state) in definitions.live


def _illegal(db: ReadTransaction, definitions: Definitions) -> list[IllegalTransition]:
    """The transitions that no rules allow, neither the present rules nor earlier ones."""
    rules = [definitions, *all_definitions(db)]
    rows = db.rows(
        "select from_state, action, to_state, trigger_type, count(*) as rows from transitions"
        " group by from_state, action, to_state, trigger_type order by from_state, action, to_state, trigger_type"
    )
    return [
        IllegalTransition(row["from_state"], row["action"], row["to_state"], row["trigger_type"], row["rows"])
        for row in rows
        if not any(is_legal(each, _transition(row)) for each in rules)
    ]


def _transition(row: sqlite3.Row) -> Transition:
    return Transition(row["from_state"], row["action"], row["to_state"], row["trigger_type"])


def _counts(db: ReadTransaction, sql: str, states: tuple[str, ...]) -> dict[str, int]:
    """The number of rows in each state: known states in their order, then any other."""
    found = {row["state"]: row["rows"] for row in db.rows(sql)}
    return {state: found.pop(state, 0) for state in states} | found
