"""A kiosk with three patients, and the centre's verdicts and pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from kiosk.journey.patient_status import PatientStatus
from sync.journey.definitions import shipped
from sync.journey.model import Journey, PatientId
from sync.protocol import Code, Intent, Verdict, VerdictRow
from tests.kiosk import samples
from tests.kiosk.samples import TODAY, Clock, booking, cards, page
from tests.site_rules import with_changed

HOUR = 3_600_000
NEXT_DAY = "2026-03-03"


class SmallKiosk:
    """A kiosk with three patients, and the centre's verdicts and pages."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.parts = samples.enrolled(directory, self.clock)
        self.store, self.journeys, self.ledger = self.parts.store, self.parts.journeys, self.parts.ledger

    @property
    def cursor(self) -> int:
        assert self.journeys.identity is not None
        return self.journeys.identity.cursor

    def tap(self, number: int, *automatic: str) -> list[Intent]:
        """Taps the n-th patient's card. Returns the intents of the accepted actions."""
        tapped = self.journeys.tap(cards(number), automatic or ("scan_nfc",))
        assert tapped is not None
        return [self.intent(action_id) for action_id in tapped.action_ids]

    def intent(self, action_id: str) -> Intent:
        with self.store.read() as db:
            body = db.execute("select body from outbox where action_id = ?", (action_id,)).fetchone()[0]
        return msgspec.json.decode(body, type=Intent)

    def judge(self, intent: Intent, journey: Journey | None = None, **changes: Any) -> VerdictRow:
        values: dict[str, Any] = {
            "action_id": intent.action_id,
            "seq": intent.seq,
            "verdict": Verdict.APPLIED,
            "code": Code.OK,
            "patient_id": intent.patient_id,
            "visit_id": intent.visit_id,
            "journey": journey,
        }
        return VerdictRow(**values | changes)

    def pull(self, *rows: Any, **changes: Any) -> frozenset[PatientId] | None:
        """Adopts the next page."""
        return self.ledger.adopt(page(*rows, from_cursor=self.cursor, cursor=self.cursor + 1, **changes))

    def patient_status(self, patient_id: str) -> PatientStatus:
        found = self.journeys.patient_status(patient_id)
        assert found is not None
        return found

    def state(self, patient_id: str) -> str:
        return self.patient_status(patient_id).journey.state

    def base(self, patient_id: str) -> Journey:
        return self.patient_status(patient_id).patient.base

    def knows(self) -> set[str]:
        with self.store.read() as db:
            return {r[0] for r in db.execute("select patient_id from patients")}

    def one(self, statement: str) -> Any:
        with self.store.read() as db:
            return db.execute(statement).fetchone()[0]


def journey(number: int, state: str, version: int, **changes: Any) -> Journey:
    return replace(
        Journey(PatientId(f"P{number}"), state, TODAY, journey_version=version, appointments=(booking(number),)),
        **changes,
    )


def new_rules(**register: Any) -> dict[str, Any]:
    return with_changed({**shipped().document, "version": 2}, "register", **register)
