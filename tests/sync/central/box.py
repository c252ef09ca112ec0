"""A kiosk at the centre's HTTP interface."""

from __future__ import annotations

from typing import Any

import msgspec

from sync.clock import read_clock
from sync.ids import new_id
from sync.protocol import (
    NO_HASH,
    PROTOCOL_VERSION,
    EnrolRequest,
    Intent,
    PullRequest,
    Pushed,
    PushRequest,
    canonical,
    chain_hash,
)
from tests.sync.central.centre import DAY
from tests.sync.central.online import API, Online

GRANTS = ("scan_nfc", "register", "confirm_arrival")


class Box:
    """An enrolled kiosk without a store, which pushes any action of a test."""

    def __init__(self, online: Online, actions: tuple[str, ...] = GRANTS) -> None:
        self.online = online
        request = EnrolRequest(code=online.centre.do("enroll-code", actions=list(actions))["code"], actions=actions)
        made = online.call("POST", f"{API}/kiosks/enroll", data=canonical(request)).json()
        self.site_id = made["site_id"]
        self.kiosk_id, self.token, self.prefix = made["kiosk_id"], made["token"], made["ticket_prefix"]
        # The clocks stand still: an action that is pushed at once happens at the moment of its receipt.
        self.clock = read_clock()
        self.seq, self.head = 0, NO_HASH

    def push(self, patient_id: str, action_type: str, **changes: Any) -> dict[str, Any]:
        """Pushes one action and returns its verdict. `changes` are fields of the intent."""
        self.seq += 1
        fields: dict[str, Any] = {
            "site_id": self.site_id,
            "kiosk_id": self.kiosk_id,
            "epoch": 1,
            "seq": self.seq,
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
            "clock": self.clock,
            "journey_state": "UNREGISTERED",
        }
        body = canonical(Intent(**(fields | changes)))
        self.head = chain_hash(self.head, body)
        request = PushRequest(
            protocol_version=PROTOCOL_VERSION,
            site_id=self.site_id,
            kiosk_id=self.kiosk_id,
            epoch=1,
            now=self.clock,
            actions=[Pushed(self.head, msgspec.Raw(body))],
        )
        answer = self.online.call("POST", f"{API}/sync/push", self.token, data=canonical(request))
        assert answer.ok, answer.text
        verdict: dict[str, Any] = answer.json()["verdicts"][0]
        return verdict

    def latest(self) -> int:
        """The cursor after the last page."""
        page = self.pulled(0)
        while page["more"]:
            page = self.pulled(page["cursor"])
        return int(page["cursor"])

    def pulled(self, cursor: int) -> dict[str, Any]:
        """The page after a cursor."""
        request = PullRequest(
            protocol_version=PROTOCOL_VERSION, site_id=self.site_id, kiosk_id=self.kiosk_id, epoch=1, cursor=cursor
        )
        page: dict[str, Any] = self.online.call("POST", f"{API}/sync/pull", self.token, data=canonical(request)).json()
        return page
