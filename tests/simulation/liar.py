"""A box with a valid token that lies: a stolen kiosk, whose thief knows the protocol.

It calls the real endpoints. Two patients of its own, the thief's helpers, are on the roster. For them it also does
what any kiosk may do. Nothing that it sends may move anything of anybody else's. `theirs.py` looks after each call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from sync.clock import ClockReading
from sync.protocol import NO_HASH, EndCode, Intent, PatientRow, canonical, chain_hash
from tests.simulation.hospital import LIAR, LIARS_OWN, OPENS_MS
from tests.simulation.theirs import differences, of_the_others

if TYPE_CHECKING:
    from tests.simulation.world import World

PUSH, PULL, LOOKUP = "/api/v1/sync/push", "/api/v1/sync/pull", "/api/v1/sync/lookup"
NEXT = {
    "UNREGISTERED": "scan_nfc",
    "ARRIVED": "register",
    "REGISTERED": "confirm_arrival",
    "COMPLETED": "confirm_arrival",
}
KIOSK_ID = f"kiosk-{LIAR}"
BOOTED_MS = OPENS_MS - 8 * 3600 * 1000
# The centre reads nothing else of such a call, so the call tells nothing.
_UNHEARD = (EndCode.OTHER_SITE, EndCode.UNSUPPORTED_VERSION)
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """An action that the liar has sent.

    `not_before_ms` is the last moment (UTC ms) at which the liar had told that the action was not there; None for none.
    `is_anothers`: its id was another kiosk's before.
    """

    not_before_ms: int | None
    is_anothers: bool


@dataclass(frozen=True, slots=True)
class ToldNothing:
    """A pull that told that no action after `seq` was there, at a true time (UTC ms)."""

    epoch: int
    seq: int
    at_ms: int


class Liar:
    """The box. It remembers what it was told, and the account of what it said."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.epoch, self.seq, self.hashes = 1, 0, {0: NO_HASH}
        self.cursor, self.cursor_mac, self.incarnation = 0, "", ""
        self.boot_id, self.count = world.new_id(), 0
        self.rows: dict[str, PatientRow] = {}
        self.said: dict[str, Said] = {}
        self.pulls: list[ToldNothing] = []
        self._told_of_another = False
        self.false_numbers: set[str] = set()
        self.lies: Counter[str] = Counter()

    @property
    def chance(self) -> Any:
        """The chance of the present event."""
        return self.world.chance

    # What it says.

    def clock(self) -> Json:
        """A true reading of its clocks."""
        now_ms = self.world.now_ms
        return {"wall_ms": now_ms, "mono_ms": now_ms - BOOTED_MS, "boot_id": self.boot_id, "synchronised": True}

    def action(self, patient_id: str = "", **lies: Any) -> Json:
        """The body of an action for a patient, by default the next sensible one of a patient of its own."""
        patient_id = patient_id or self.chance.choice(LIARS_OWN)
        row = self.rows.get(patient_id)
        state = row.journey.state if row else "UNREGISTERED"
        action_type = NEXT.get(state, "scan_nfc")
        opens = action_type == "confirm_arrival"
        self.count += opens
        bindings = row.bindings if row else ()
        body = Intent(
            site_id=self.world.site_id,
            kiosk_id=KIOSK_ID,
            epoch=self.epoch,
            seq=self.seq + 1,
            action_id=self.world.new_id(),
            action_type=action_type,
            patient_id=patient_id,
            visit_id=(row and row.journey.visit_id) or self.world.new_id(),
            leg=row.journey.leg if row else 0,
            queue_id=self.world.new_id(),
            queue_number=f"{LIAR}-{self.count:03d}" if opens else "",
            base_version=row.journey.journey_version if row else 0,
            definitions_version=self.world.centre.definitions.version,
            site_day=self.world.centre.today(),
            clock=msgspec.convert(self.clock(), ClockReading),
            journey_state=state,
            binding_id=bindings[0].binding_id if bindings else None,
        )
        return {**msgspec.to_builtins(body), **lies}

    def push(self, *bodies: Json, beside: Mapping[str, Any] | None = None, **lies: Any) -> Json:
        """Pushes actions at the end of its chain. `beside` goes beside each body, `lies` into the message."""
        actions, head, seq = [], self.hashes[self.seq], self.seq
        for body in bodies:
            seq += 1
            placed = {**body, **({"seq": seq} if body.get("seq") == self.seq + 1 else {})}
            head = chain_hash(head, canonical(placed))
            actions.append({"hash": head, "body": placed, **(beside or {})})
        return self.send(actions, **lies)

    def send(self, actions: list[Json], **lies: Any) -> Json:
        """Pushes records as they are, and goes on where the answer leaves the chain."""
        known = self.world.at_centre() if actions else frozenset()
        told_of_another, self._told_of_another = self._told_of_another, False
        answer = self.call(PUSH, {**self._head(), "now": self.clock(), "actions": actions, **lies})
        if told_of_another and "verdicts" in answer:
            # The pulls that told of the action before told nothing of this one. A fork would make this chain another.
            self.pulls += [ToldNothing(each.epoch, self.seq, each.at_ms) for each in self.pulls if each.seq > self.seq]
        for place, verdict in enumerate(answer.get("verdicts", ()), 1):
            anothers = verdict["action_id"] in known
            self.said.setdefault(verdict["action_id"], Said(self._not_before(self.seq + place), anothers))
            self._expect_case(verdict)
        if "verdicts" in answer and answer["last_seq"] == self.seq + len(actions):
            self.hashes |= {self.seq + place: each["hash"] for place, each in enumerate(actions, 1)}
            self.seq = answer["last_seq"]
        self._follow(answer)
        return answer

    def refused(self, *bodies: Json, beside: Mapping[str, Any] | None = None) -> None:
        """Pushes actions that no centre may believe."""
        answer = self.push(*bodies, beside=beside)
        for verdict in answer.get("verdicts", ()):
            assert verdict["verdict"] == "needs_staff", f"a lie counts: {verdict}"
            assert verdict["journey"] is None or verdict["patient_id"] in LIARS_OWN, f"a lie is answered: {verdict}"

    def pull(self, *, adopt: bool = True, look: bool = True, **lies: Any) -> Json:
        """Pulls a page. What the pull tells is noted, since no action may be dated before it."""
        own = {"cursor": self.cursor, "cursor_mac": self.cursor_mac, "server_incarnation": self.incarnation or None}
        end = {"last_seq": self.seq, "chain_hash": self.hashes[self.seq]}
        message = {**self._head(), **own, **end, "definitions_version": 1, **lies}
        told = self._told(message)
        answer = self.call(PULL, message, look=look)
        if told is not None and answer.get("code") not in _UNHEARD:
            self.pulls.append(told)
        if adopt and "cursor" in answer:
            self.cursor, self.cursor_mac = answer["cursor"], answer["cursor_mac"]
            self.incarnation = answer["server_incarnation"]
            self.rows |= {row["patient_id"]: msgspec.convert(row, PatientRow) for row in answer["patients"]}
        elif answer.get("code") == "bad_cursor" and adopt:
            self.cursor = 0
        return answer

    def catch_up(self) -> None:
        """Pulls until it knows everybody, as an honest kiosk does."""
        for _ in range(20):
            if not self.pull().get("more", False):
                return

    def call(self, path: str, message: object, *, look: bool = True) -> Json:
        """Makes a call. Raises AssertionError where anything of anybody else's has moved, and `look` is true."""
        body = message if isinstance(message, bytes) else msgspec.json.encode(message)
        centre = self.world.centre
        before = of_the_others(centre) if look else {}
        _, answer = centre.handle(KIOSK_ID, path, body)
        moved = differences(before, of_the_others(centre)) if look else []
        assert not moved, f"a lie moved {moved}"
        return dict(msgspec.json.decode(answer))

    # What it must not get.

    def restored(self) -> None:
        """The centre was restored, and may have lost what the liar has told."""
        self.pulls.clear()

    def told_of_another(self) -> None:
        """The next action comes in place of the one that was told of."""
        self._told_of_another = True

    def _not_before(self, seq: int) -> int | None:
        own = (each.at_ms for each in self.pulls if each.epoch == self.epoch and each.seq < seq)
        return max(own, default=None)

    def _told(self, message: Json) -> ToldNothing | None:
        """What a pull tells of actions that are not there; None where it tells nothing of them."""
        centre = self.world.centre
        (epoch,) = centre.rows("select epoch from kiosks where kiosk_id = :id", id=KIOSK_ID)[0]
        (incarnation,) = centre.rows("select server_incarnation from incarnation")[0]
        backlog = message.get("backlog") or {}
        if (message["epoch"], message["server_incarnation"]) != (epoch, incarnation) or backlog.get("parked"):
            return None
        rows = centre.rows(
            "select last_seq from chains where kiosk_id = :id and epoch = :epoch", id=KIOSK_ID, epoch=epoch
        )
        received = rows[0][0] if rows else 0
        told = max(message["last_seq"], received) if backlog and message["chain_hash"] else received
        return ToldNothing(epoch, told, self.world.now_ms)

    def _head(self) -> Json:
        return {"protocol_version": 2, "site_id": self.world.site_id, "kiosk_id": KIOSK_ID, "epoch": self.epoch}

    def _follow(self, answer: Json) -> None:
        if answer.get("code") == "gap" and answer["expected_seq"] - 1 in self.hashes:
            self.seq = answer["expected_seq"] - 1
        if answer.get("code") == "fork":
            ended = (self.epoch, self.seq)
            self.epoch, self.seq, self.hashes = answer["epoch"], 0, {0: NO_HASH}
            # What waits was not there at the pulls that told only what the centre had.
            told = [each.at_ms for each in self.pulls if each.epoch == ended[0] and each.seq <= ended[1]]
            self.pulls += [ToldNothing(self.epoch, 0, at_ms) for at_ms in told]

    def _expect_case(self, verdict: Json) -> None:
        if verdict["verdict"] != "needs_staff":
            return
        cases = self.world.centre.rows(
            "select 1 from waiting where verdict_id = :id union all select 1 from quarantine q"
            " join exceptions e using (exception_id) where q.verdict_id = :id or e.action_id = :id"
            " or (q.kiosk_id = :kiosk_id and q.seq = :seq)"
            " union all select 1 from exceptions where action_id = :id",
            id=verdict["action_id"],
            kiosk_id=KIOSK_ID,
            seq=verdict["seq"],
        )
        assert cases, f"staff have no case about {verdict}"
