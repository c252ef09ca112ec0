"""The evidence for a verdict on one action of a kiosk, as plain values."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from sync.central.records.told_seqs import ANY_TIME, Window
from sync.clock import ClockReading, EventTime, event_time
from sync.journey.definitions import Definitions
from sync.journey.model import Exam, Journey, PatientId, VisitId
from sync.protocol import Intent, PriorVerdict


class ReceivedAction(msgspec.Struct, frozen=True):
    """An action as received.

    `grants` are the kinds of kiosk and the actions that the kiosk is granted, `sent` its clocks at sending.
    `prior_verdict` is the verdict that the kiosk got before the centre was restored. `window` is the time in which the
    action happened, by the centre's clock and what the kiosk had told before.
    """

    intent: Intent
    kiosk_id: str
    grants: tuple[str, ...]
    sent: ClockReading
    received_ms: int
    prior_verdict: PriorVerdict | None = None
    window: Window = ANY_TIME

    @property
    def happened(self) -> EventTime:
        """The best known time of the action. A time outside of the window counts as its nearest end."""
        claimed = event_time(self.intent.clock, self.sent, self.received_ms)
        at_ms = claimed.at_ms
        if self.window.latest_ms is not None:
            at_ms = min(at_ms, self.window.latest_ms)
        if self.window.earliest_ms is not None:
            at_ms = max(at_ms, self.window.earliest_ms)
        # The centre's clock may have been set right since the window was noted.
        return replace(claimed, at_ms=min(at_ms, self.received_ms))


class Visit(msgspec.Struct, frozen=True):
    """The visit that an action names, aliases resolved: the journey at the end of its own history, and its actions.

    `done` holds each action of its history with the leg that the action is of.
    """

    visit_id: VisitId
    history: Journey
    done: frozenset[tuple[str, int]]


class Evidence(msgspec.Struct, frozen=True):
    """The knowledge of the centre that concerns one action.

    - `rules`: the definitions that the kiosk judged by; None where they are no longer supported. `grants`: the actions
      that these rules grant to the kiosk.
    - `subject`: the patient that the action is for, aliases resolved and an unknown card looked up; None where the
      centre knows no such patient. `journey` is the subject's journey as of `today`.
    - `day`: the site day of the action by the best known time. `arrived_ms` is that time where it can be trusted.
    - `card_holder`: the patient who holds the card now. `binding_holder`: the patient of the binding that was read.
      `card_blocked`: the card was reported lost.
    - `moved`: the bookings that the person was shown, and that are of another day by now.
    - `visit`: the visit that the action names, where it is the subject's.
    - `unseen_visit`: the first visit of that day that the kiosk cannot have known of.
    - `visit_waits`: an earlier action of this kiosk in the visit waits for staff.
    - `changed_elsewhere`: someone else changed the journey since the kiosk's last pull.
    - `corrected`: staff corrected the journey in this visit since then.
    - `denied`: the visit was opened by a kiosk, and that was taken back.
    - `two_visits`: the visit is one of two that were under way when two records were merged.
    - `proof_used`: the proof in the action's payload counts for another visit already.
    - `decided_elsewhere`: another system of the hospital decides the action. `has_word`: that system has said that it
      did it, from the state that the person was shown.
    - `recorded_payload`: the payload of the same action for the same leg in the visit's history.
    - `prior_verdict`: the verdict that the kiosk got before the centre was restored.
    """

    rules: Definitions | None
    grants: frozenset[str]
    walk_in: Exam
    today: str
    day: str
    received_ms: int
    arrived_ms: int | None
    subject: PatientId | None
    journey: Journey
    card_holder: PatientId | None = None
    binding_holder: PatientId | None = None
    card_blocked: bool = False
    moved: frozenset[str] = frozenset()
    visit: Visit | None = None
    unseen_visit: VisitId | None = None
    visit_waits: bool = False
    changed_elsewhere: bool = False
    corrected: bool = False
    denied: bool = False
    two_visits: bool = False
    proof_used: bool = False
    decided_elsewhere: bool = False
    has_word: bool = False
    recorded_payload: Mapping[str, Any] = {}
    prior_verdict: PriorVerdict | None = None
