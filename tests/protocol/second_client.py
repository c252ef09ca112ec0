"""A second client of the protocol, written from docs/protocol.md alone: plain JSON over http.client, none of our code.

It holds the state of a kiosk (identity, chain, outbox, roster) in plain values. It decides nothing: the caller says
what the person was shown. The comments name the sections of the document.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import os
import random
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
BOOT_ID = str(uuid.uuid4())
VERSION, MOST, MOST_BYTES = 2, 160, 256 * 1024
PUSH, PULL, LOOKUP = "/api/v1/sync/push", "/api/v1/sync/pull", "/api/v1/sync/lookup"
ENROLL, RENEW = "/api/v1/kiosks/enroll", "/api/v1/kiosks/token"
OF_ITS_SITE = {"gap", "fork", "ended", "bad_cursor"}  # refusals that change the client
REFUSALS = OF_ITS_SITE | {"not_known", "replaced", "no_site", "other_site", "try_later", "malformed"}
REFUSALS |= {"unsupported_version"}


def uuid7() -> str:
    """RFC 9562, 5.7."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return str(uuid.UUID(int=value & ~(0xF << 76 | 0x3 << 62) | 7 << 76 | 2 << 62))


def canonical(body: object) -> bytes:
    """The hash chain: canonical JSON."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def card_of(binding: Json) -> Json:
    return {"key_id": binding["key_id"], "uid_hash": binding["uid_hash"]}


class Refused(Exception):
    """A refused call. `code` is empty where there was no answer of the protocol."""

    def __init__(self, status: int, body: Json, retry_after_s: float) -> None:
        self.code: str = body.get("code", "")
        super().__init__(self.code or status)
        self.status, self.body = status, body
        self.retry_after_s = max(retry_after_s, body.get("retry_after_s") or 0)


class SecondClient:
    """One kiosk."""

    def __init__(self, url: str) -> None:
        self.address = urlsplit(url).netloc
        self.token = self.incarnation = self.cursor_mac = ""
        self.who, self.site, self.definitions = Json(), Json(), Json()
        self.cursor, self.epoch, self.next_seq, self.head, self.answered = 0, 1, 1, "", 0
        self.most, self.expected, self.choked, self.failures = MOST, 0, ("", 0), 0
        # In the order of the actions: body, hash, epoch, seq, verdict, held; patient_id and visit_id follow the centre.
        self.outbox: list[Json] = []
        self.patients: dict[str, Json] = {}
        self.blocked: list[Json] = []  # cards
        self.unnamed: list[Json] = []  # blocked cards that the snapshot under way has not named yet
        self.numbers = 0

    # Transport.

    def call(self, path: str, message: Json) -> Json:
        connection = http.client.HTTPConnection(self.address, timeout=40)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        try:
            connection.request("POST", path, canonical(message), headers)
            response = connection.getresponse()
            status, retry_after, text = response.status, response.headers.get("Retry-After", ""), response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Refused(0, {}, 0) from error
        finally:
            connection.close()
        try:
            answer: Json = dict(json.loads(text))
        except (ValueError, TypeError):
            status, answer = status if status != 200 else 0, {}
        if status == 200:
            return answer
        typed = answer if answer.get("code") in REFUSALS else {}
        raise Refused(status, typed, float(retry_after) if retry_after.isdigit() else 0)

    def ask(self, path: str, message: Json) -> Json:
        """Versions: this client speaks only one."""
        try:
            answer = self.call(path, {**message, "protocol_version": VERSION, "site_id": self.who["site_id"]})
        except Refused as refused:
            if refused.code in OF_ITS_SITE and refused.body.get("site_id") != self.who["site_id"]:
                raise Refused(0, {}, 0) from refused  # Refusals: not the word of its site
            if refused.code == "ended":
                if refused.body.get("token_sha256") != hashlib.sha256(self.token.encode()).hexdigest():
                    raise Refused(0, {}, 0) from refused  # Refusals: not about its token
                self.patients = {}
            raise
        if answer["site_id"] != self.who["site_id"]:
            raise Refused(0, {}, 0)
        return answer

    # Enrolment.

    def enrol(self, code: str, **wishes: Any) -> None:
        before = self.who.get("site_id", "")
        request = {"code": code, "attempt": os.urandom(16).hex(), "site_id": before, "kept": len(self.outbox)}
        answer = self.call(ENROLL, {**request, **wishes})
        if before == answer["site_id"] and self.incarnation != answer["server_incarnation"]:
            self.reopen()
        self.who, self.token, self.incarnation = answer, answer["token"], answer["server_incarnation"]
        self.site, self.definitions, self.cursor, self.patients = answer["site"], answer["definitions"], 0, {}
        for row in self.outbox:
            row["epoch"] = 0
            if row["verdict"] and row["verdict"]["verdict"] == "needs_staff":
                row["held"], row["verdict"] = row["verdict"], None
        self.renumber(answer["epoch"])

    def card(self, uid: str) -> Json:
        return self.lift({"key_id": None, "uid_hash": f"iso14443a:{uid.upper()}"})

    def lift(self, card: Json) -> Json:
        """The card under the newest key, from its hash under any key."""
        keys = self.who["card_keys"]["keys"]
        names = [None, *(key["key_id"] for key in keys)]
        for key in keys[names.index(card["key_id"]) :] if card["key_id"] in names else ():
            made = hmac.new(bytes.fromhex(key["secret"]), card["uid_hash"].encode(), hashlib.sha256)
            card = {"key_id": key["key_id"], "uid_hash": made.hexdigest()}
        return card

    def holder(self, uid: str) -> tuple[str, str] | None:
        """Patient and binding of a card, from the pulled rows. A blocked card has neither."""
        card = None if self.is_blocked(uid) else self.card(uid)
        held = [(name, bound) for name, row in self.patients.items() for bound in row["bindings"]]
        return next(((name, bound["binding_id"]) for name, bound in held if self.lift(card_of(bound)) == card), None)

    def is_blocked(self, uid: str) -> bool:
        return self.card(uid) in [self.lift(card) for card in self.blocked + self.unnamed]

    # Look-up.

    def look_up(self, uid: str) -> None:
        """Takes the row over, unless the pages are further."""
        answer = self.ask(LOOKUP, {"kiosk_id": self.who["kiosk_id"], "card": self.card(uid)})
        row = answer["patient"]
        if row and row["change"] > self.cursor and answer["server_incarnation"] == self.incarnation:
            self.patients[row["patient_id"]] = row

    # Intents.

    def clock(self) -> Json:
        now, mono = time.time_ns() // 10**6, time.monotonic_ns() // 10**6
        return {"wall_ms": now, "mono_ms": mono, "boot_id": BOOT_ID, "synchronised": True}

    def number(self) -> str:
        """A count that never begins again skips every number in use."""
        self.numbers += 1
        return f"{self.who['ticket_prefix']}-{self.numbers:03d}"

    def act(self, action_type: str, patient_id: str, **shown: Any) -> Json:
        """Appends an intent to the chain. `shown` are members of the body, as the person was shown them."""
        journey, rules = self.patients.get(patient_id, {}).get("journey", {}), self.definitions
        body = {"action_id": uuid7(), "action_type": action_type, "patient_id": patient_id, "queue_id": uuid7()}
        visits = [row["visit_id"] for row in self.pending() if row["patient_id"] == patient_id]
        visit_id = visits[-1] if visits else journey.get("visit_id") or uuid7()
        body |= {"visit_id": visit_id, "leg": journey.get("leg", 0), "queue_number": "", "site_id": self.who["site_id"]}
        body |= {"site_day": journey.get("site_day") or time.strftime("%Y-%m-%d"), "clock": self.clock()}
        body |= {"journey_state": journey.get("state", rules["initial"]), "definitions_version": rules["version"]}
        body |= {"base_version": max(journey.get("journey_version", 0), 0), **shown}
        row = {"body": body, "verdict": None, "held": None, "patient_id": patient_id, "visit_id": body["visit_id"]}
        self.outbox.append(row)
        self.chain(row)
        return body

    def chain(self, row: Json) -> None:
        row["body"] |= {"kiosk_id": self.who["kiosk_id"], "epoch": self.epoch, "seq": self.next_seq}
        self.head = hashlib.sha256(self.head.encode() + canonical(row["body"])).hexdigest()
        row.update(hash=self.head, epoch=self.epoch, seq=self.next_seq)
        self.next_seq += 1

    def renumber(self, epoch: int) -> None:
        """Epochs: the pending actions from seq 1, in their order, with their ids."""
        self.epoch, self.next_seq, self.head, self.expected, self.answered = epoch, 1, "", 0, 0
        for row in self.pending():
            self.chain(row)

    def reopen(self) -> None:
        """Makes all actions pending again. Actions of an earlier epoch can only be sent in a new one."""
        for row in self.outbox:
            row["held"], row["verdict"] = row["verdict"] or row["held"], None
        self.expected = self.answered = 0
        if any(row["epoch"] < self.epoch for row in self.outbox):
            self.renumber(self.epoch + 1)

    def pending(self) -> list[Json]:
        return [row for row in self.outbox if row["verdict"] is None]

    # Push.

    def batch(self) -> list[Json]:
        first = self.expected or min(row["seq"] for row in self.pending())
        rows = sorted((row for row in self.outbox if row["epoch"] == self.epoch), key=lambda row: row["seq"])
        rows = [row for row in rows if row["seq"] >= first][: self.most]
        sizes = itertools.accumulate(len(canonical(row["body"])) for row in rows)
        return [row for row, size in zip(rows, sizes, strict=True) if size <= MOST_BYTES] or rows[:1]

    def at_push(self) -> Json:
        request = {"kiosk_id": self.who["kiosk_id"], "epoch": self.epoch, "now": self.clock()}
        request["actions"] = [self.pushed(row) for row in self.batch()]
        return request | {"server_incarnation": self.incarnation}

    def pushed(self, row: Json) -> Json:
        body, verdict = row["body"], row["verdict"] or row["held"]
        if self.choked == (row["hash"], 2):
            record = base64.b64encode(canonical(body)).decode()
            opaque = {"seq": row["seq"], "action_id": body["action_id"], "body": record, "readable": True}
            return {"hash": row["hash"], "body": None, "opaque": opaque}
        beside = {"held": {name: verdict[name] for name in ("verdict", "code", "revision")}} if verdict else {}
        return {"hash": row["hash"], "body": body} | beside

    def push(self) -> float | None:
        """Pushes one batch. Returns the seconds to wait then; None where nothing is pending."""
        if not self.pending():
            return None
        sent, asked = self.batch(), self.incarnation
        try:
            answer = self.ask(PUSH, self.at_push())
        except Refused as refused:
            return self.refused(sent, refused)
        self.most, self.choked, self.failures = min(MOST, self.most * 2), ("", 0), 0
        if self.incarnation in (asked, answer["server_incarnation"]):
            self.answered, self.expected = answer["last_seq"], answer["last_seq"] + 1 if self.expected else 0
            for row, verdict in zip(sent, answer["verdicts"], strict=True):
                self.settle([row], verdict)
        return 0

    def refused(self, sent: list[Json], refused: Refused) -> float:
        asked, self.expected, self.failures = self.expected, 0, self.failures + 1
        wanted = refused.body.get("expected_seq") if refused.code == "gap" else None
        if wanted != asked and any((row["epoch"], row["seq"]) == (self.epoch, wanted) for row in self.outbox):
            self.expected = wanted
            return 0
        if refused.code == "fork" and refused.body["epoch"] > self.epoch:
            self.renumber(refused.body["epoch"])
            return 0
        if refused.code in ("", "malformed"):
            self.expected, self.most = asked, max(1, self.most // 2)
            if len(sent) == 1:
                times = self.choked[1] if self.choked[0] == sent[0]["hash"] else 0
                self.choked = (sent[0]["hash"], min(2, times + 1))
        return max(random.uniform(0, min(60, 0.5 * 2**self.failures)), refused.retry_after_s)

    def settle(self, rows: list[Json], verdict: Json) -> None:
        """Handles a verdict as a kiosk does. `rows` holds the row of the action, or none."""
        if not rows or (rows[0]["verdict"] and rows[0]["verdict"]["revision"] >= verdict["revision"]):
            return
        row, was, journey = rows[0], rows[0]["patient_id"], verdict["journey"]
        row["verdict"], row["held"] = verdict, None
        row["patient_id"] = who = verdict["patient_id"] or was
        for each in self.outbox:
            if row["body"].get("provisional") and each["body"]["patient_id"] == row["body"]["patient_id"]:
                each["patient_id"] = who
            if verdict["code"] == "visit_alias" and (each["patient_id"], each["visit_id"]) == (who, row["visit_id"]):
                each["visit_id"] = each["visit_id"] if each["verdict"] else verdict["visit_id"]
        known = self.patients.get(who)
        if known and journey and journey["journey_version"] > known["journey"]["journey_version"]:
            known["journey"] = journey
        if verdict["code"] in ("rebound", "blocked_card") and was in self.patients:
            card, bound = self.lift(row["body"]["card"]), self.patients[was]["bindings"]
            self.patients[was]["bindings"] = [each for each in bound if self.lift(card_of(each)) != card]
        self.forget(lambda patient: patient.get("gone") is True)

    # Pull.

    def page(self) -> bool:
        """Pulls one page. Returns whether it held news."""
        request = {"kiosk_id": self.who["kiosk_id"], "epoch": self.epoch, "cursor": self.cursor, "wait_s": 0}
        known = {"server_incarnation": self.incarnation, "definitions_version": self.definitions["version"]}
        waits, now = self.pending(), self.clock()["mono_ms"]
        oldest = {"oldest": waits[0]["seq"], "age_ms": now - waits[0]["body"]["clock"]["mono_ms"]} if waits else {}
        backlog = {"waiting": len(waits), **oldest} if waits else None
        known |= {"cursor_mac": self.cursor_mac, "backlog": backlog}
        known |= {"last_seq": self.next_seq - 1, "chain_hash": self.head}
        answered, known["card_key_id"] = self.answered, self.who["card_keys"]["keys"][-1]["key_id"]
        try:
            page = self.ask(PULL, request | known)
        except Refused as refused:
            if refused.code != "bad_cursor":
                raise
            self.cursor = 0
            return True
        goes_on = (page["from_cursor"], page["server_incarnation"]) == (self.cursor, self.incarnation)
        if page["asked_cursor"] != self.cursor or not (page["reset"] or goes_on):
            return True
        self.who["card_keys"] = page["card_keys"] or self.who["card_keys"]
        if page["server_incarnation"] != self.incarnation:
            self.reopen()
        elif (last_seq := page["last_seq"]) is not None and last_seq < answered:
            self.reopen()
            self.cursor = 0
            return True
        for patient in self.patients.values() if page["reset"] else ():
            patient["journey"]["journey_version"], patient["gone"] = -1, "unless named"
        for verdict in page["verdicts"]:
            self.settle([row for row in self.outbox if row["body"]["action_id"] == verdict["action_id"]], verdict)
        self.take_over(page)
        news = page["more"] or page["cursor"] != self.cursor
        self.cursor, self.incarnation, self.site = page["cursor"], page["server_incarnation"], page["site"]
        self.definitions, self.cursor_mac = page["definitions"] or self.definitions, page["cursor_mac"]
        if page.get("renew_token"):
            self.token = self.ask(RENEW, {"kiosk_id": self.who["kiosk_id"]})["token"]
        return bool(news)

    def take_over(self, page: Json) -> None:
        names = {each["old"]: each["patient_id"] for each in page["renamed"]}
        for row in self.outbox:
            row["patient_id"] = names.get(row["patient_id"], row["patient_id"])
        for row in page["patients"]:
            known = self.patients.get(row["patient_id"], row)["journey"]
            newer = known["journey_version"] > row["journey"]["journey_version"]
            self.patients[row["patient_id"]] = row | ({"journey": known} if newer else {})
        for gone in page["gone"]:
            self.patients.get(gone, {})["gone"] = True
        if page["reset"]:
            self.blocked, self.unnamed = [], self.blocked + self.unnamed
        free, named = ([self.lift(card_of(card)) for card in page[name]] for name in ("unblocked", "blocked"))
        self.blocked = [card for card in map(self.lift, self.blocked) if card not in free] + named
        self.unnamed = [card for card in map(self.lift, self.unnamed) if page["more"] and card not in free]
        if not page["more"]:
            self.forget(lambda patient: patient.get("gone"))
            for left in [each for each in self.patients.values() if each["journey"]["journey_version"] < 0]:
                left.update(journey={"state": self.definitions["initial"], "journey_version": 0}, bindings=[])

    def forget(self, which: Any) -> None:
        """Forgets these patients, except those with pending actions."""
        held = {row["patient_id"] for row in self.pending()}
        self.patients = {name: row for name, row in self.patients.items() if name in held or not which(row)}
