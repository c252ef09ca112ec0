"""The rows of a change name its origin, its sender and its time. The complete rows of each way into the centre are
stated here, so that a wrong value in any column fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

from sync.cards import canonical_tag
from sync.central.maintenance.housekeeping import close_days
from sync.central.records.tokens import hash_of
from sync.clock import ClockReading
from sync.ids import new_id
from tests.sync.central.box import Box
from tests.sync.central.online import API, Online

NEXT_DAY = "2026-03-03"
MINUTE_MS = 60_000
TO_REGISTERED = ("scan_nfc", "register")
TO_WAITING = (*TO_REGISTERED, "confirm_arrival")
PATIENT_ACTIONS = (*TO_WAITING, "enter_exam_room", "complete_exam", "make_payment", "leave_hospital")


@pytest.fixture
def online(tmp_path) -> Iterator[Online]:
    """A centre whose clock this test alone moves."""
    made = Online(tmp_path)
    yield made
    made.close()


@dataclass
class Scene:
    """A patient on a visit, a kiosk, and staff; `since` is the last change before the tested one."""

    online: Online
    box: Box
    patient_id: str
    since: int = 0

    @property
    def now_ms(self) -> int:
        return self.online.centre.clock.now_ms

    def walk(self, *actions: str) -> Scene:
        """The patient does these actions. The tested change may come a minute later."""
        self.online.centre.walk(self.patient_id, *actions)
        self.online.centre.clock.now_ms += MINUTE_MS
        self.since = self.online.centre.rows("select max(change) as change from journeys")[0]["change"]
        return self

    def visit(self) -> str:
        (row,) = self.online.centre.rows("select visit_id from visits where patient_id = :id", id=self.patient_id)
        return str(row["visit_id"])

    def entry(self) -> str:
        (row,) = self.online.centre.rows("select queue_id from entries where patient_id = :id", id=self.patient_id)
        return str(row["queue_id"])

    def version(self) -> int:
        (row,) = self.online.centre.rows(
            "select journey_version from journeys where patient_id = :id", id=self.patient_id
        )
        return int(row["journey_version"])

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """A request of staff that succeeds."""
        answer = self.online.call("POST", f"{API}{path}", self.online.staff, json=body)
        assert answer.ok, answer.text
        return dict(answer.json())

    def push(self, action_type: str, **changes: Any) -> dict[str, Any]:
        """An action of the visit under way that the kiosk accepted a minute ago."""
        fields = {
            "visit_id": self.visit(),
            "base_version": self.version(),
            "clock": replace(self.box.clock, mono_ms=self.box.clock.mono_ms - MINUTE_MS),
        }
        return self.box.push(self.patient_id, action_type, **(fields | changes))

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of the tested change in a history table, without the change number."""
        found = self.online.centre.rows(
            f"select * from {table} where patient_id = :id and change > :since order by change, position",
            id=self.patient_id,
            since=self.since,
        )
        for row in found:
            del row["change"]
            if "metadata" in row:
                row["metadata"] = msgspec.json.decode(row["metadata"])
        return found

    def who(self, token: str) -> str:
        """The name of a token's bearer in the history."""
        return f"{'staff' if token == self.online.staff else 'patient'}:{hash_of(token)[:12]}"


@dataclass(frozen=True)
class Stated:
    """The expected rows of one change. `entry` is the previous state, the new state and the reason."""

    action_id: str | None
    source: str
    who: str
    moves: tuple[str, str]
    action: str
    trigger_type: str
    metadata: dict[str, Any]
    entry: tuple[str | None, str, str] | None
    leg: int = 1
    happened_ms: int | None = None
    time_quality: str = "received"


def patient_over_rest(scene: Scene) -> Stated:
    scene.walk(*TO_REGISTERED)
    token, action_id = scene.online.own_token(scene.patient_id), new_id()
    assert scene.online.act(token, "confirm_arrival", action_id, note="here").ok
    return _arrival(action_id, "rest", scene.who(token), {"note": "here"})


def patient_over_the_socket(scene: Scene) -> Stated:
    scene.walk(*TO_REGISTERED)
    token, action_id = scene.online.own_token(scene.patient_id), new_id()
    with scene.online.socket(token) as socket:
        socket.ask("perform_action", action_type="confirm_arrival", action_id=action_id, payload={"note": "here"})
        assert socket.until("action_result")["success"]
    return _arrival(action_id, "websocket", scene.who(token), {"note": "here"})


def staff_over_rest(scene: Scene) -> Stated:
    scene.walk(*TO_WAITING)
    action_id = new_id()
    assert scene.online.act(scene.online.staff, "call_patient", action_id, patient_id=scene.patient_id).ok
    return _call(scene, action_id, "rest")


def staff_over_the_socket(scene: Scene) -> Stated:
    scene.walk(*TO_WAITING)
    action_id, payload = new_id(), {"patient_id": scene.patient_id}
    with scene.online.socket(scene.online.staff, query=f"?patient_id={scene.patient_id}") as socket:
        socket.ask("perform_action", action_type="call_patient", action_id=action_id, payload=payload)
        assert socket.until("action_result")["success"]
    return _call(scene, action_id, "websocket")


def staff_for_a_patient(scene: Scene) -> Stated:
    scene.walk(*TO_REGISTERED)
    action_id = new_id()
    assert scene.online.act(scene.online.staff, "confirm_arrival", action_id, patient_id=scene.patient_id).ok
    stated = _arrival(action_id, "rest", scene.who(scene.online.staff), {"patient_id": scene.patient_id})
    return replace(stated, trigger_type="staff_action")


def staff_change_the_entry(scene: Scene) -> Stated:
    scene.walk(*TO_WAITING)
    action_id, body = new_id(), {"state": "called", "reason": "next one"}
    path = f"{API}/queue/{scene.entry()}/"
    assert scene.online.call("PATCH", path, scene.online.staff, json={**body, "action_id": action_id}).ok
    return Stated(
        action_id,
        source="rest",
        who=scene.who(scene.online.staff),
        moves=("WAITING", "CALLED"),
        action="queue_sync",
        trigger_type="queue_sync",
        metadata={"queue_id": scene.entry(), **body},
        entry=("waiting", "called", "next one"),
    )


def staff_correct_the_journey(scene: Scene) -> Stated:
    scene.walk(*TO_WAITING)
    action_id, body = new_id(), {"state": "CALLED", "reason": "is in the room"}
    scene.post(f"/patients/{scene.patient_id}/correct/", action_id=action_id, **body)
    return Stated(
        action_id,
        source="rest",
        who=scene.who(scene.online.staff),
        moves=("WAITING", "CALLED"),
        action="correct_journey",
        trigger_type="staff_action",
        metadata=body,
        entry=("waiting", "called", "is in the room"),
    )


def kiosk_pushes(scene: Scene) -> Stated:
    scene.walk(*TO_REGISTERED)
    number = f"{scene.box.prefix}-001"
    verdict = scene.push("confirm_arrival", journey_state="REGISTERED", queue_number=number, payload={"note": "here"})
    assert (verdict["verdict"], verdict["code"]) == ("applied", "ok")
    stated = _arrival(verdict["action_id"], scene.box.kiosk_id, scene.box.kiosk_id, {})
    return replace(
        stated,
        metadata=_of_kiosk(queue_number=number, payload={"note": "here"}),
        happened_ms=scene.now_ms - MINUTE_MS,
        time_quality="measured",
    )


def kiosk_pushes_after_the_days_end(scene: Scene) -> Stated:
    scene.walk(*TO_REGISTERED)
    visit_id, version, happened_ms = scene.visit(), scene.version(), scene.now_ms
    scene.online.centre.clock.set(NEXT_DAY, "05:00")
    close_days(scene.online.centre.parts, NEXT_DAY)
    scene.since = scene.online.centre.rows("select max(change) as change from journeys")[0]["change"]
    late_by_ms, number = scene.now_ms - happened_ms, f"{scene.box.prefix}-001"
    verdict = scene.push(
        "confirm_arrival",
        visit_id=visit_id,
        base_version=version,
        journey_state="REGISTERED",
        queue_number=number,
        clock=replace(scene.box.clock, mono_ms=scene.box.clock.mono_ms - late_by_ms),
    )
    assert (verdict["verdict"], verdict["code"]) == ("applied", "late")
    stated = _arrival(verdict["action_id"], scene.box.kiosk_id, scene.box.kiosk_id, _of_kiosk(queue_number=number))
    return replace(stated, happened_ms=happened_ms, time_quality="measured")


def staff_apply_what_a_kiosk_pushed(scene: Scene) -> Stated:
    verdict = scene.box.push(scene.patient_id, "register", journey_state="ARRIVED")
    happened_ms = scene.now_ms
    scene.walk("scan_nfc")
    (case,) = scene.online.call("GET", f"{API}/exceptions/", scene.online.staff).json()["exceptions"]
    scene.post(f"/exceptions/{case['exception_id']}/settle/", how="apply")
    return Stated(
        verdict["action_id"],
        source=scene.box.kiosk_id,
        who=scene.box.kiosk_id,
        moves=("ARRIVED", "REGISTERED"),
        action="register",
        trigger_type="staff_action",
        metadata=_of_kiosk(),
        entry=None,
        leg=0,
        happened_ms=happened_ms,
        time_quality="measured",
    )


def staff_bind_the_card_that_a_kiosk_read(scene: Scene) -> Stated:
    stated = _unknown_card(scene)
    scene.post("/bindings/", patient_id=scene.patient_id, tag_id=NEW_CARD)
    return stated


def an_import_binds_the_card_that_a_kiosk_read(scene: Scene) -> Stated:
    stated = _unknown_card(scene)
    patient = {"patient_id": scene.patient_id, "name": "환자", "cards": [NEW_CARD]}
    scene.online.centre.take({"exams": [], "patients": [patient], "appointments": []})
    return stated


NEW_CARD = "04aabbcc010203"


def _unknown_card(scene: Scene) -> Stated:
    """A kiosk has opened a visit for an unknown card. A minute later staff bind the card to a patient."""
    (newest, *_) = scene.online.centre.parts.keys.hashes(canonical_tag(NEW_CARD))
    provisional = f"card-{new_id()}"
    verdict = scene.box.push(provisional, "scan_nfc", provisional=True, card=newest)
    assert (verdict["verdict"], verdict["code"]) == ("needs_staff", "unknown_card")
    happened_ms = scene.now_ms
    scene.walk()
    return Stated(
        verdict["action_id"],
        source=scene.box.kiosk_id,
        who=scene.box.kiosk_id,
        moves=("UNREGISTERED", "ARRIVED"),
        action="scan_nfc",
        trigger_type="nfc_tag",
        metadata=_of_kiosk(),
        entry=None,
        leg=0,
        happened_ms=happened_ms,
        time_quality="measured",
    )


def _arrival(action_id: str, source: str, who: str, metadata: dict[str, Any]) -> Stated:
    return Stated(
        action_id,
        source,
        who,
        moves=("REGISTERED", "WAITING"),
        action="confirm_arrival",
        trigger_type="patient_action",
        metadata=metadata,
        entry=(None, "waiting", "confirm_arrival"),
    )


def _call(scene: Scene, action_id: str, source: str) -> Stated:
    return Stated(
        action_id,
        source,
        who=scene.who(scene.online.staff),
        moves=("WAITING", "CALLED"),
        action="call_patient",
        trigger_type="staff_action",
        metadata={"patient_id": scene.patient_id},
        entry=("waiting", "called", "call_patient"),
    )


def _of_kiosk(**changes: Any) -> dict[str, Any]:
    return {"epoch": 1, "seq": 1, "binding_id": None, "queue_number": "", "payload": {}} | changes


WAYS: tuple[Callable[[Scene], Stated], ...] = (
    patient_over_rest,
    patient_over_the_socket,
    staff_over_rest,
    staff_over_the_socket,
    staff_for_a_patient,
    staff_change_the_entry,
    staff_correct_the_journey,
    kiosk_pushes,
    kiosk_pushes_after_the_days_end,
    staff_apply_what_a_kiosk_pushed,
    staff_bind_the_card_that_a_kiosk_read,
    an_import_binds_the_card_that_a_kiosk_read,
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_rows_of_a_change_say_whence_it_came_who_asked_and_when(online: Online, way: Callable[[Scene], Stated]):
    scene = Scene(online, Box(online), online.newcomer())
    stated = way(scene)
    happened_ms = scene.now_ms if stated.happened_ms is None else stated.happened_ms
    common = {
        "position": 0,
        "patient_id": scene.patient_id,
        "action_id": stated.action_id,
        "happened_ms": happened_ms,
        "recorded_ms": scene.now_ms,
        "who": stated.who,
    }
    assert scene.rows("transitions") == [
        common
        | {
            "visit_id": scene.visit(),
            "leg": stated.leg,
            "from_state": stated.moves[0],
            "to_state": stated.moves[1],
            "action": stated.action,
            "trigger_type": stated.trigger_type,
            "source": stated.source,
            "metadata": stated.metadata,
            "time_quality": stated.time_quality,
        }
    ]
    entry = stated.entry and dict(zip(("previous", "new", "reason"), stated.entry, strict=True))
    rows = scene.rows("entry_history")
    assert rows[:1] == ([common | {"queue_id": scene.entry()} | entry] if entry else [])
    late = [row | {"position": 0} for row in rows[1:]]
    ended = {"previous": "waiting", "new": "no_show", "reason": "late"}
    assert late == ([rows[0] | ended] if way is kiosk_pushes_after_the_days_end else [])


@pytest.mark.parametrize(
    ("reading", "happened_before_ms", "quality"),
    [
        ({"mono_ms": 400_000}, 100_000, "measured"),
        ({"boot_id": "another", "synchronised": True}, 300_000, "synchronised"),
        ({"boot_id": "another"}, 300_000, "claimed"),
        ({"boot_id": "another", "wall_ms": 2**45}, 0, "received"),
    ],
)
def test_the_time_of_a_kiosks_action_is_as_good_as_its_clocks(
    online: Online, reading: dict[str, Any], happened_before_ms: int, quality: str
):
    scene = Scene(online, Box(online), online.newcomer()).walk("scan_nfc")
    scene.box.clock = ClockReading(scene.now_ms - 300_000, 500_000, "this boot", synchronised=False)
    verdict = scene.push("register", journey_state="ARRIVED", clock=replace(scene.box.clock, **reading))
    assert verdict["verdict"] == "applied"
    (row,) = scene.rows("transitions")
    times = (row["happened_ms"], row["recorded_ms"], row["time_quality"])
    assert times == (scene.now_ms - happened_before_ms, scene.now_ms, quality)


# A day's end, closed by any first request.


def _nothing(scene: Scene) -> None:
    """The housekeeping has come first."""


def _an_app(scene: Scene) -> None:
    assert scene.online.act(scene.online.own_token(scene.patient_id), "scan_nfc").ok


def _a_refused_request(scene: Scene) -> None:
    assert not scene.online.act(scene.online.own_token(scene.patient_id), "register").ok


def _a_kiosk(scene: Scene) -> None:
    assert scene.box.push(scene.patient_id, "scan_nfc", site_day=NEXT_DAY)["verdict"] == "applied"


def _a_change_of_the_entry(scene: Scene) -> None:
    path = f"{API}/queue/{scene.entry()}/"
    assert scene.online.call("PATCH", path, scene.online.staff, json={"state": "called"}).status_code == 400


def _a_correction(scene: Scene) -> None:
    path = f"{API}/patients/{scene.patient_id}/correct/"
    body = {"state": "CALLED", "reason": "is in the room"}
    assert scene.online.call("POST", path, scene.online.staff, json=body).status_code == 400


def _a_merge(scene: Scene) -> None:
    scene.post(f"/patients/{scene.patient_id}/merge/", patient_id=scene.online.newcomer())


def _a_merge_into_another(scene: Scene) -> None:
    kept = scene.online.newcomer()
    scene.post(f"/patients/{kept}/merge/", patient_id=scene.patient_id)
    scene.patient_id = kept


DAYS_ENDS = (
    _an_app,
    _a_refused_request,
    _a_kiosk,
    _a_change_of_the_entry,
    _a_correction,
    _a_merge,
    _a_merge_into_another,
)


def closure(online: Online, end: Callable[[Scene], None]) -> tuple[Scene, dict[str, Any], dict[str, Any]]:
    """The first rows after a closed day's end: of the journey and of the queue."""
    scene = Scene(online, Box(online), online.newcomer()).walk(*TO_WAITING)
    day = {"visit_id": scene.visit(), "queue_id": scene.entry()}
    online.centre.clock.set(NEXT_DAY, "05:00")
    if end is _nothing:
        close_days(online.centre.parts, NEXT_DAY)
    end(scene)
    transition, entry = scene.rows("transitions")[0], scene.rows("entry_history")[0]
    assert (transition["visit_id"], entry["queue_id"]) == (day["visit_id"], day["queue_id"])
    assert transition["patient_id"] == entry["patient_id"] == scene.patient_id
    for row in (transition, entry):
        for one_patients in ("patient_id", "visit_id", "queue_id"):
            row.pop(one_patients, None)
    return scene, transition, entry


def test_a_days_end_is_the_systems_and_of_no_action(online: Online):
    scene, transition, entry = closure(online, _nothing)
    assert transition == {
        "position": 0,
        "leg": 1,
        "action_id": None,
        "from_state": "WAITING",
        "to_state": "UNREGISTERED",
        "action": "close_day",
        "trigger_type": "system_auto",
        "source": "centre",
        "who": "system",
        "metadata": {},
        "happened_ms": scene.now_ms,
        "recorded_ms": scene.now_ms,
        "time_quality": "received",
    }
    assert entry == {
        "position": 0,
        "action_id": None,
        "previous": "waiting",
        "new": "no_show",
        "reason": "close_day",
        "who": "system",
        "happened_ms": scene.now_ms,
        "recorded_ms": scene.now_ms,
    }


@pytest.mark.parametrize("end", DAYS_ENDS, ids=lambda end: end.__name__)
def test_a_days_end_is_recorded_the_same_by_whatever_it_is_met(
    online: Online, tmp_path_factory: pytest.TempPathFactory, end: Callable[[Scene], None]
):
    by_itself = Online(tmp_path_factory.mktemp("by itself"))
    try:
        assert closure(online, end)[1:] == closure(by_itself, _nothing)[1:]
    finally:
        by_itself.close()


# Decisions of staff besides the journeys.


def decided(scene: Scene, table: str, **of: Any) -> dict[str, Any]:
    """The one row of a table with these values."""
    where = " and ".join(f"{column} = :{column}" for column in of)
    (row,) = scene.online.centre.rows(f"select * from {table} where {where}", **of)
    return row


def test_a_settled_case_says_by_whom_how_and_why(online: Online):
    scene = Scene(online, Box(online), online.newcomer())
    verdict = scene.box.push(scene.patient_id, "register", journey_state="ARRIVED")
    case = decided(scene, "exceptions", action_id=verdict["action_id"])
    assert {name: case[name] for name in ("code", "patient_id", "kiosk_id", "settled_by", "settlement")} == {
        "code": "not_allowed",
        "patient_id": scene.patient_id,
        "kiosk_id": scene.box.kiosk_id,
        "settled_by": None,
        "settlement": None,
    }
    online.centre.clock.now_ms += MINUTE_MS
    action_id, who = new_id(), scene.who(online.staff)
    scene.post(f"/exceptions/{case['exception_id']}/settle/", how="discard", reason="was a test", action_id=action_id)
    after = decided(scene, "exceptions", exception_id=case["exception_id"])
    assert (after["settled_by"], after["settled_ms"]) == (who, scene.now_ms)
    assert msgspec.json.decode(after["settlement"]) == {"how": "discard", "reason": "was a test", "patient_id": None}
    detail = {"exception_id": case["exception_id"], "how": "discard"}
    assert_audited(scene, who, "settle", detail, patient_id=scene.patient_id, action_id=action_id)
    assert_answered(scene, action_id, "settle", "desk", "applied", patient_id=None)


@pytest.mark.parametrize(
    ("way", "who"),
    [(staff_bind_the_card_that_a_kiosk_read, None), (an_import_binds_the_card_that_a_kiosk_read, "import")],
)
def test_a_card_that_is_bound_settles_its_case_by_who_bound_it(
    online: Online, way: Callable[[Scene], Stated], who: str | None
):
    scene = Scene(online, Box(online), online.newcomer())
    stated = way(scene)
    case = decided(scene, "exceptions", action_id=stated.action_id)
    assert (case["settled_by"], case["settled_ms"]) == (who or scene.who(online.staff), scene.now_ms)
    assert msgspec.json.decode(case["settlement"]) == {"verdict": "applied", "code": "ok", "revision": 1}


def test_a_merge_says_who_merged_which_records(online: Online):
    scene = Scene(online, Box(online), online.newcomer())
    gone, action_id = online.newcomer(), new_id()
    scene.post(f"/patients/{scene.patient_id}/merge/", patient_id=gone, action_id=action_id)
    who = scene.who(online.staff)
    assert_audited(scene, who, "merge", {"gone": gone}, action_id=action_id, patient_id=scene.patient_id)
    assert_answered(scene, action_id, "merge", "desk", "applied", patient_id=None)


def test_a_binding_says_who_bound_which_card(online: Online):
    scene = Scene(online, Box(online), online.newcomer())
    action_id = new_id()
    made = scene.post("/bindings/", patient_id=scene.patient_id, tag_id=NEW_CARD, action_id=action_id)
    detail = {"binding_id": made["binding_id"], "origin": "desk"}
    who = scene.who(online.staff)
    assert_audited(scene, who, "bind", detail, action_id=action_id, patient_id=scene.patient_id)
    assert_answered(scene, action_id, "bind", "desk", "applied", patient_id=scene.patient_id)


@pytest.mark.parametrize("way", [way for way in WAYS if way is not kiosk_pushes_after_the_days_end])
def test_an_action_is_kept_with_the_channel_it_came_by(online: Online, way: Callable[[Scene], Stated]):
    scene = Scene(online, Box(online), online.newcomer())
    stated = way(scene)
    assert stated.action_id is not None
    row = decided(scene, "actions", action_id=stated.action_id)
    asked = {"queue_sync": "change_entry"}.get(stated.action, stated.action)
    assert (row["action_type"], row["source"], row["patient_id"]) == (asked, stated.source, scene.patient_id)


def assert_audited(scene: Scene, who: str, kind: str, detail: dict[str, Any], **ids: str) -> None:
    """The audit has one row of that kind, with these values, and the address of who did it."""
    row = decided(scene, "audit", kind=kind)
    assert msgspec.json.decode(row.pop("detail")) == {**detail, "from": "127.0.0.1"}
    del row["audit_id"]
    others = {"patient_id": None, "action_id": None, "counts_until_ms": None, "block": None}
    assert row == {"at_ms": scene.now_ms, "who": who, "kind": kind} | others | ids


def assert_answered(
    scene: Scene, action_id: str, action_type: str, source: str, outcome: str, patient_id: str | None
) -> None:
    """The stored answer to an action is this one."""
    row = decided(scene, "actions", action_id=action_id)
    named = ("patient_id", "action_type", "source", "outcome", "recorded_ms")
    assert tuple(row[name] for name in named) == (patient_id, action_type, source, outcome, scene.now_ms)
