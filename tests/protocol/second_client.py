"""A second client of the protocol, written from docs/protocol.md alone: plain JSON over http.client, nothing of ours.

It holds what a kiosk must hold (identity, chain, outbox, roster) in plain values, and decides nothing: the caller says
what the person was shown. Section names in the comments are those of the document.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
BOOT_ID = str(uuid.uuid4())
NEWEST = 2


def uuid7() -> str:
    """RFC 9562, 5.7."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 2 << 62))


def canonical(body: object) -> bytes:
    """The hash chain: members sorted, no white space, UTF-8."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Refused(Exception):
    """A typed refusal of a whole call."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(body.get("code"))
        self.status, self.body = status, body
        self.code: str = body["code"]


class SecondClient:
    """One kiosk."""

    def __init__(self, url: str) -> None:
        self.address = urlsplit(url).netloc
        self.version = NEWEST
        self.token = ""
        self.who: Json = {}
        self.incarnation = ""
        self.cursor = 0
        self.epoch, self.next_seq, self.head = 1, 1, ""
        self.backed_up_seq = 0
        self.outbox: list[
            Json
        ] = []  # {"body", "hash", "seq", "epoch", "verdict": row or None, "held": verdict or None}
        self.patients: dict[str, Json] = {}
        self.site: Json = {}
        self.definitions: Json = {}
        self.numbers: dict[str, int] = {}

    # Transport.

    def call(self, path: str, message: Json) -> Json:
        connection = http.client.HTTPConnection(self.address, timeout=40)
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request("POST", path, json.dumps(message).encode(), headers)
            response = connection.getresponse()
            answer: Json = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise Refused(response.status, answer)
        return answer

    def spoken(self, path: str, message: Json) -> Json:
        """Versions: the newest that both speak."""
        try:
            answer = self.call(path, {**message, "protocol_version": self.version})
        except Refused as refused:
            if refused.code == "fenced":
                self.patients = {}
            if refused.code != "unsupported_version" or self.version == 1:
                raise
            both = [version for version in refused.body.get("versions", []) if version <= NEWEST]
            self.version = max(both, default=self.version - 1)
            return self.spoken(path, message)
        self.version = max(self.version, min(NEWEST, answer.get("newest_version", 1)))
        return answer

    # Enrolment.

    def enrol(self, code: str, **wishes: Any) -> None:
        self.who = self.call("/api/v1/kiosks/enroll", {"code": code, **wishes})
        self.token, self.incarnation = self.who["token"], self.who["server_incarnation"]
        self.site, self.definitions = self.who["site"], self.who["definitions"]
        self.cursor, self.patients = 0, {}
        self.renumber(self.who["epoch"])

    def card(self, uid: str) -> list[Json]:
        """One hash for each key."""
        text = f"uid:{uid.lower()}".encode()
        keys = self.who["card_keys"]["keys"]
        return [
            {"key_id": key_id, "uid_hash": hmac.new(bytes.fromhex(key), text, hashlib.sha256).hexdigest()}
            for key_id, key in keys.items()
        ]

    def holder(self, uid: str) -> tuple[str, str] | None:
        """Patient and binding of a card, by the pulled rows."""
        cards = {(card["key_id"], card["uid_hash"]) for card in self.card(uid)}
        for patient_id, row in self.patients.items():
            for binding in row["bindings"]:
                if (binding["key_id"], binding["uid_hash"]) in cards:
                    return patient_id, binding["binding_id"]
        return None

    # Intents.

    def clock(self) -> Json:
        return {
            "wall_ms": time.time_ns() // 1_000_000,
            "mono_ms": time.monotonic_ns() // 1_000_000,
            "boot_id": BOOT_ID,
            "synchronised": True,
        }

    def number(self, site_day: str) -> str:
        self.numbers[site_day] = self.numbers.get(site_day, 0) + 1
        return f"{self.who['ticket_prefix']}-{self.numbers[site_day]:03d}"

    def act(self, action_type: str, patient_id: str, **shown: Any) -> Json:
        """Puts an intent at the end of the chain. `shown` are members of the body, as the person was shown them."""
        journey = self.patients.get(patient_id, {}).get("journey", {})
        body = {
            "kiosk_id": self.who["kiosk_id"],
            "epoch": self.epoch,
            "seq": self.next_seq,
            "action_id": uuid7(),
            "action_type": action_type,
            "patient_id": patient_id,
            "visit_id": journey.get("visit_id") or uuid7(),
            "leg": journey.get("leg", 0),
            "journey_state": journey.get("state", self.definitions["initial"]),
            "queue_id": uuid7(),
            "queue_number": "",
            "base_version": journey.get("journey_version", 0),
            "definitions_version": self.definitions["version"],
            "site_day": journey.get("site_day") or time.strftime("%Y-%m-%d"),
            "clock": self.clock(),
            **shown,
        }
        self.append({"body": body, "verdict": None, "held": None})
        return body

    def append(self, row: Json) -> None:
        self.head = hashlib.sha256(self.head.encode() + canonical(row["body"])).hexdigest()
        row.update(hash=self.head, seq=self.next_seq, epoch=self.epoch)
        self.next_seq += 1
        self.outbox.append(row)

    def renumber(self, epoch: int) -> None:
        """Epochs: what is pending, from seq 1, in its order, every id as it was."""
        pending = self.pending()
        judged = [row for row in self.outbox if row["verdict"]]
        self.epoch, self.next_seq, self.head, self.backed_up_seq = epoch, 1, "", 0
        self.outbox = judged
        for row in pending:
            row["body"] |= {"kiosk_id": self.who["kiosk_id"], "epoch": epoch, "seq": self.next_seq}
            self.append(row)

    def pending(self) -> list[Json]:
        return [row for row in self.outbox if row["verdict"] is None]

    # Push.

    def push(self, most: int = 100) -> None:
        """Until nothing is pending."""
        expected = None
        while pending := self.pending():
            first = expected if expected is not None else pending[0]["seq"]
            rows = [row for row in self.outbox if row["epoch"] == self.epoch and row["seq"] >= first][:most]
            request = {
                "kiosk_id": self.who["kiosk_id"],
                "epoch": self.epoch,
                "now": self.clock(),
                "server_incarnation": self.incarnation,
                "actions": [self.pushed(row) for row in rows],
            }
            try:
                answer = self.spoken("/api/v1/sync/push", request)
            except Refused as refused:
                expected = self.refused(refused)
                continue
            expected = answer["last_seq"] + 1 if expected is not None else None
            self.backed_up_seq = max(self.backed_up_seq, answer["backed_up_seq"])
            for verdict in answer["verdicts"]:
                self.settle(verdict)

    def pushed(self, row: Json) -> Json:
        sent = {"hash": row["hash"], "body": row["body"]}
        told = row["verdict"] or row["held"]
        if self.version >= 2 and told:
            sent["held"] = {name: told[name] for name in ("verdict", "code", "revision")}
        return sent

    def refused(self, refused: Refused) -> int | None:
        """What a refusal of a push asks for: the seq to go on from, or None."""
        if refused.code == "gap":
            return int(refused.body["expected_seq"])
        if refused.code == "fork" and refused.body["epoch"] > self.epoch:
            self.renumber(refused.body["epoch"])
            return None
        raise refused

    def settle(self, verdict: Json) -> None:
        """What the kiosk does with a verdict."""
        row = next((each for each in self.outbox if each["body"]["action_id"] == verdict["action_id"]), None)
        if row is None or (row["verdict"] and row["verdict"]["revision"] >= verdict["revision"]):
            return
        row["verdict"], row["held"] = verdict, None
        journey = verdict["journey"]
        known = self.patients.get(verdict["patient_id"] or "")
        if known and journey and journey["journey_version"] > known["journey"]["journey_version"]:
            known["journey"] = journey

    # Pull.

    def pull(self) -> None:
        """Until there is nothing new."""
        while self.page():
            pass

    def page(self, wait_s: float = 0) -> bool:
        """One page. Whether it brought anything."""
        request = {
            "kiosk_id": self.who["kiosk_id"],
            "epoch": self.epoch,
            "cursor": self.cursor,
            "server_incarnation": self.incarnation,
            "definitions_version": self.definitions["version"],
            "wait_s": wait_s,
        }
        page = self.spoken("/api/v1/sync/pull", request)
        if not page["reset"] and page["from_cursor"] != self.cursor:
            return True
        if page["server_incarnation"] != self.incarnation:
            self.restored(page)
        if page["reset"]:
            self.patients = {}
        for verdict in page["verdicts"]:
            self.settle(verdict)
        for row in page["patients"]:
            self.patients[row["patient_id"]] = row
        for gone in page["gone"]:
            self.patients.pop(gone, None)
        news = page["more"] or page["cursor"] != self.cursor
        self.cursor, self.incarnation, self.site = page["cursor"], page["server_incarnation"], page["site"]
        self.definitions = page["definitions"] or self.definitions
        self.backed_up_seq = max(self.backed_up_seq, page.get("backed_up_seq", 0))
        return bool(news)

    def restored(self, page: Json) -> None:
        """What the centre may miss is pending again, with its verdict beside it."""
        if page.get("newest_version", 1) >= 2:
            self.backed_up_seq = min(self.backed_up_seq, page["last_seq"] or 0)
        for row in self.outbox:
            if row["verdict"] and row["epoch"] == self.epoch and row["seq"] > self.backed_up_seq:
                row["held"], row["verdict"] = row["verdict"], None
