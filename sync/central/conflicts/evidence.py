"""What the centre knows that bears on one action of a kiosk, as plain values: what a verdict is founded on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.clock import ClockReading, EventTime, event_time
from sync.journey.definitions import Definitions
from sync.journey.model import Exam, Journey, PatientId, VisitId
from sync.protocol import Intent, PriorVerdict


@dataclass(frozen=True, slots=True)
class ReceivedAction:
    """An action as it came in: from which kiosk, the grants of that kiosk, its clocks at sending, and the receipt.

    `held` is the verdict that the kiosk had been told of the action.
    """

    intent: Intent
    kiosk_id: str
    grants: tuple[str, ...]
    sent: ClockReading
    received_ms: int
    held: PriorVerdict | None = None

    @property
    def happened(self) -> EventTime:
        """When it happened, as well as that is known."""
        return event_time(self.intent.clock, self.sent, self.received_ms)


@dataclass(frozen=True, slots=True)
class Visit:
    """The visit that an action names, aliases followed: the journey as its own history left it, and what was done.

    `done` holds the actions of its history, each with the leg that it is of.
    """

    visit_id: VisitId
    history: Journey
    done: frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the centre knows that bears on one action.

    `rules` are those that the kiosk judged by (None: no longer supported), and `grants` are the
    actions that the kiosk is granted by them. `subject` is whom the action is for, aliases
    followed and an unknown card looked up (None: nobody that the centre knows), `journey` theirs as of `today`.
    `card_of` and `binding_of` tell whose the card is now and whose it was when it was bound. `day` is the site day that
    the action belongs to by the best time there is; `arrived_ms` is that time where it can be trusted. `unseen` is the
    first visit of that day that the kiosk cannot have known of; `waits`: an earlier action of the visit is with staff;
    `moved`: somebody else changed the journey since the kiosk last heard of it; `corrected`: staff have said since
    where the patient stands in this visit. `said` is the payload that the visit's history has of the same action for
    the same leg; `split`: the visit is one of two that were under way when two records were merged; `held` is the
    verdict that the kiosk had been told before the centre was restored.
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
    card_of: PatientId | None = None
    binding_of: PatientId | None = None
    visit: Visit | None = None
    unseen: VisitId | None = None
    waits: bool = False
    moved: bool = False
    corrected: bool = False
    split: bool = False
    said: Mapping[str, Any] = field(default_factory=dict)
    held: PriorVerdict | None = None
