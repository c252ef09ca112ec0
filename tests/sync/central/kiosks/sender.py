"""A kiosk without a store, which pushes any bodies of a test."""

from __future__ import annotations

from typing import Any

import msgspec

from sync.central.kiosks.push import receive_batch
from sync.clock import ClockReading
from sync.ids import new_id
from sync.protocol import (
    NO_HASH,
    CallRefused,
    Intent,
    PriorVerdict,
    PushAnswer,
    Pushed,
    PushRequest,
    VerdictRow,
    canonical,
    link_hash,
)
from tests.sync.central.wire import DAY, EVERYTHING, Centre


class Sender:
    """An enrolled kiosk. `epoch`, `seq` and `head` say where its next action stands."""

    def __init__(self, centre: Centre, prefix: str = "A") -> None:
        self.centre = centre
        made = centre.enrol(prefix, EVERYTHING)
        self.kiosk_id, self.prefix, self.epoch = made.kiosk_id, made.ticket_prefix, made.epoch
        self.seq, self.head = 0, NO_HASH

    def clock(self) -> ClockReading:
        now = self.centre.time()
        return ClockReading(now, now - 1_000_000, "boot", True)

    def intent(self, action_type: str = "scan_nfc", patient_id: str = "P1", **changes: Any) -> Intent:
        """The next action. `changes` are other fields of it."""
        fields: dict[str, Any] = {
            "site_id": self.centre.site_id,
            "kiosk_id": self.kiosk_id,
            "epoch": self.epoch,
            "seq": self.seq + 1,
            "action_id": new_id(),
            "action_type": action_type,
            "patient_id": patient_id,
            "visit_id": new_id(),
            "leg": 0,
            "queue_id": new_id(),
            "queue_number": "",
            "base_version": 0,
            "definitions_version": 1,
            "site_day": DAY,
            "clock": self.clock(),
            "journey_state": "UNREGISTERED",
        }
        return Intent(**(fields | changes))

    def chained(self, body: object, held: PriorVerdict | None = None) -> Pushed:
        """The body as the next link of the chain: an intent, JSON values, or bytes as they are."""
        raw = body if isinstance(body, bytes) else canonical(body)
        self.seq += 1
        self.head = link_hash(self.head, raw)
        return Pushed(self.head, msgspec.Raw(raw), held)

    def request(self, *actions: Pushed, **changes: Any) -> PushRequest:
        """A push of links. `changes` are other fields of it."""
        request = PushRequest(
            protocol_version=2,
            site_id=self.centre.site_id,
            kiosk_id=self.kiosk_id,
            epoch=self.epoch,
            now=self.clock(),
            actions=list(actions),
        )
        return msgspec.structs.replace(request, **changes)

    def send(self, *actions: Pushed, **changes: Any) -> PushAnswer | CallRefused:
        """The answer to a push of links."""
        return receive_batch(self.centre.parts, self.kiosk_id, self.request(*actions, **changes))

    def accepted(self, *actions: Pushed) -> PushAnswer:
        """The answer to a push that is not refused."""
        answer = self.send(*actions)
        assert isinstance(answer, PushAnswer), answer
        return answer

    def refused(self, *actions: Pushed, **changes: Any) -> CallRefused:
        """The refusal of a push."""
        answer = self.send(*actions, **changes)
        assert isinstance(answer, CallRefused), answer
        return answer

    def push(self, body: object, held: PriorVerdict | None = None) -> VerdictRow:
        """The verdict on one body, which is the next link of the chain."""
        (verdict,) = self.accepted(self.chained(body, held)).verdicts
        return verdict
