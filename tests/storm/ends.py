"""Whether both ends agree after a story: nothing lost, nothing twice, and the same journeys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from kiosk.demo.hospital import DemoError, Person, wait_for
from tests.storm import kiosk_rows
from tests.storm.kiosk_rows import Row
from tests.storm.stage import Cast
from tests.whole.town import Town

AGREE_S = 30.0


def disagreements(town: Town, cast: Cast, rows: Sequence[Row], database: Path) -> list[str]:
    """The faults between the kiosk's actions and the centre's history of these people."""
    return [
        *_pending(rows),
        *(
            fault
            for person in cast.patients
            for fault in _history_faults(town.history(person), person.patient_id, rows)
        ),
        *_different_states(town, cast, database),
    ]


def _pending(rows: Sequence[Row]) -> Iterator[str]:
    yield from (f"{row.action_type} of {row.patient_id} is still pending" for row in rows if row.status == "pending")


def _history_faults(history: Sequence[dict[str, object]], patient_id: str, rows: Sequence[Row]) -> Iterator[str]:
    """An applied action has its rows at the centre once, and a kiosk's row there has its action."""
    recorded = Counter(str(row["action_id"]) for row in history if row["action_id"])
    mine = {row.action_id: row for row in rows if row.patient_id == patient_id}
    for row in mine.values():
        if row.status == "applied" and not recorded[row.action_id]:
            yield f"{row.action_type} of {patient_id} was applied, and the centre's history lacks it"
    for entry in history:
        if str(entry["source"]).startswith("kiosk") and entry["action_id"] not in mine:
            yield f"the centre has {entry['action']} of {patient_id} from a kiosk that lacks it"
    doubled = Counter((str(entry["action_id"]), str(entry["action"])) for entry in history if entry["action_id"])
    yield from (f"the centre has {name} of {patient_id} twice" for (_, name), times in doubled.items() if times > 1)


def _different_states(town: Town, cast: Cast, database: Path) -> Iterator[str]:
    """Patients who are in another state here than at the centre, when the kiosk has had time to pull."""
    for person in cast.patients:
        with suppress(DemoError):
            wait_for(partial(_agree, town, person, database), "", AGREE_S)
        if not _agree(town, person, database):
            yield f"{person.patient_id} is in another state here than at the centre: {town.state(person)}"


def _agree(town: Town, person: Person, database: Path) -> bool:
    known = kiosk_rows.view(database, person.patient_id)
    # The kiosk knows a patient without a booking from the first tap on.
    return known is None or known.journey.state == town.state(person)["journey_state"]
