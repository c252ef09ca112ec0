"""Enrolments, wrong codes and refused tokens: in the audit, folded, and never with the token or the code itself."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync.central.maintenance.housekeeping import Housekeeping
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.tallies import MOST_WAITING, Counted, Tallies, Tally
from sync.central.records.tokens import hash_of, id_of, revoke
from sync.central.services.access_log import write_tallies
from sync.central.services.refused_access import MOST_ROWS, TOKENS_OF_ONE, note_refusal, origin_of
from sync.journey.model import Role
from sync.protocol import PROTOCOL_VERSION, EnrolRequest, PullRequest, canonical
from tests.sync.central.box import Box
from tests.sync.central.centre import Centre
from tests.sync.central.online import API, Online

HERE = "127.0.0.1"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Online]:
    made = Online(tmp_path, centre=Centre(tmp_path, patients=5))
    yield made
    made.close()


def refusals(centre: Centre) -> list[dict[str, Any]]:
    """The rows of refusals, as they are after the next write of the background."""
    write_tallies(centre.parts)
    rows = centre.rows("select who, kind, detail from audit where kind like 'refused:%' order by kind, detail")
    return [{"who": row["who"], "kind": row["kind"], **json.loads(row["detail"])} for row in rows]


def knock(place: Online, token: str) -> int:
    return place.call("GET", f"{API}/queue/", token).status_code


def test_an_invented_token_is_counted_with_address_and_id(place: Online):
    invented = "nk_" + secrets.token_urlsafe(32)
    assert [knock(place, invented) for _ in range(3)] == [401] * 3
    (row,) = refusals(place.centre)
    stated = {"kind": "refused:unknown-token", "who": "unknown", "from": HERE, "count": 3}
    assert row == stated | {"token": id_of(hash_of(invented))}
    assert invented not in json.dumps(place.centre.rows("select * from audit"))


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_token_that_has_ended_is_counted_by_its_name(place: Online, end: str):
    token = place.centre.token(Role.STAFF, name="Ward 3", expires_ms=place.centre.clock() + 1000)
    if end == "revoked":
        with place.centre.store.write() as db:
            assert revoke(db, hash_of(token), place.centre.clock())
    else:
        place.centre.clock.now_ms += 1000
    assert knock(place, token) == 401
    (row,) = refusals(place.centre)
    token_id = id_of(hash_of(token))
    assert row == {
        "kind": f"refused:{end}-token",
        "who": f"staff:Ward 3 ({token_id})",
        "from": HERE,
        "token": token_id,
        "count": 1,
    }


def test_a_token_of_another_role_is_counted_over_http_and_at_the_socket(place: Online):
    own, box = place.own_token("P01"), Box(place)
    assert knock(place, own) == 403
    assert place.call("POST", f"{API}/sync/pull", own, data=b"{}").status_code == 401
    with place.socket(box.token) as socket:
        assert socket.closed() == 4403
    counted = {(row["kind"], row["who"].partition(":")[0]): row["count"] for row in refusals(place.centre)}
    assert counted == {("refused:role", "patient"): 2, ("refused:role", "kiosk"): 1}


def test_a_kiosk_that_names_another_kiosk_is_counted(place: Online):
    box = Box(place)
    request = PullRequest(protocol_version=PROTOCOL_VERSION, site_id=box.site_id, kiosk_id="another", epoch=1, cursor=0)
    answer = place.call("POST", f"{API}/sync/pull", box.token, data=canonical(request))
    assert (answer.status_code, answer.json()["code"]) == (401, "not_known")
    (row,) = refusals(place.centre)
    assert (row["kind"], row["who"], row["count"]) == ("refused:other-kiosk", f"kiosk:{box.kiosk_id}", 1)


def test_a_request_without_a_token_is_no_refused_token(place: Online):
    assert place.call("GET", f"{API}/queue/").status_code == 401
    assert refusals(place.centre) == []


def enrol(place: Online, code: str) -> dict[str, Any]:
    return dict(place.call("POST", f"{API}/kiosks/enroll", data=canonical(EnrolRequest(code=code))).json())


def test_an_enrolment_is_a_row_with_kiosk_and_address_and_without_code_and_token(place: Online):
    code = place.centre.do("enroll-code")["code"]
    made = enrol(place, code)
    (row,) = place.centre.rows("select * from audit where kind = 'enrolled'")
    detail = {"from": HERE, "prefix": made["ticket_prefix"], "actions": made["actions"]}
    assert (row["who"], json.loads(row["detail"])) == (made["kiosk_id"], detail)
    said = json.dumps(place.centre.rows("select * from audit"))
    assert code not in said
    assert made["token"] not in said


def test_wrong_codes_are_counted_by_address(place: Online):
    for _ in range(3):
        assert enrol(place, "AAAAA-AAAAA")["code"] == "not_known"
    (row,) = refusals(place.centre)
    assert row == {"kind": "refused:enroll-code", "who": "unknown", "from": HERE, "count": 3}


# Folding.


def test_a_later_refusal_within_ten_minutes_adds_to_the_row_and_one_after_them_has_its_own(tmp_path: Path):
    centre = Centre(tmp_path, patients=1)
    for minutes in (0, 4, 12):
        centre.clock.set("2026-03-02", f"10:{minutes:02d}")
        note_refusal(centre.parts, AuditKind.REFUSED_CODE, "192.0.2.1")
        write_tallies(centre.parts)
    assert [row["count"] for row in refusals(centre)] == [1, 2]
    centre.store.close()


def test_a_restart_within_ten_minutes_goes_on_with_the_row(tmp_path: Path):
    centre = Centre(tmp_path, patients=1)
    for _ in range(2):
        note_refusal(centre.parts, AuditKind.REFUSED_CODE, "192.0.2.1")
        write_tallies(centre.parts)
        centre.store.close()
        centre.open()
    assert [row["count"] for row in refusals(centre)] == [2]
    centre.store.close()


def test_a_flood_of_invented_tokens_from_one_address_is_a_few_rows_that_count_all(tmp_path: Path):
    centre = Centre(tmp_path, patients=1)
    for number in range(500):
        note_refusal(centre.parts, AuditKind.REFUSED_UNKNOWN, "192.0.2.1", token_id=f"{number:012x}")
    rows = refusals(centre)
    assert len(rows) == TOKENS_OF_ONE + 1
    assert sum(row["count"] for row in rows) == 500
    centre.store.close()


def test_a_flood_from_everywhere_is_a_bounded_number_of_rows_that_count_all(tmp_path: Path):
    centre = Centre(tmp_path, patients=1)
    for number in range(3000):
        address = f"198.51.{number % 250}.{number // 250}"
        note_refusal(centre.parts, AuditKind.REFUSED_UNKNOWN, address, token_id=f"{number:012x}")
    rows = refusals(centre)
    assert len(rows) <= MOST_ROWS + 1
    assert sum(row["count"] for row in rows) == 3000
    assert any("from" not in row for row in rows), "one row counts for all other addresses"
    note_refusal(centre.parts, AuditKind.REFUSED_UNKNOWN, "198.51.0.0", token_id=f"{0:012x}")
    assert [row["count"] for row in refusals(centre) if row.get("from") == "198.51.0.0"] == [2], "it goes on"
    centre.store.close()


def test_a_flood_takes_no_writer(place: Online):
    begun: list[str] = []
    writer: sqlite3.Connection = place.centre.store._writer
    writer.set_trace_callback(lambda sql: begun.append(sql) if sql.startswith("begin") else None)
    for number in range(20):
        assert knock(place, f"nk_{number}") == 401
    writer.set_trace_callback(None)
    assert begun == []


@pytest.mark.parametrize(
    ("address", "origin"),
    [("192.0.2.9", "192.0.2.9"), ("2001:db8::1", "2001:db8::/64"), ("2001:db8::2", "2001:db8::/64"), ("x", "x")],
)
def test_an_ipv6_machine_with_many_addresses_is_one_origin(address: str, origin: str):
    assert origin_of(address) == origin


def test_what_could_not_be_written_is_written_later_together_with_what_came_since(tmp_path: Path):
    centre = Centre(tmp_path, patients=1)
    note_refusal(centre.parts, AuditKind.REFUSED_CODE, "192.0.2.1")
    with centre.store.write() as db:
        db.execute("alter table audit rename to hidden")
    with pytest.raises(sqlite3.OperationalError):
        write_tallies(centre.parts)
    note_refusal(centre.parts, AuditKind.REFUSED_CODE, "192.0.2.1")
    note_refusal(centre.parts, AuditKind.REFUSED_CODE, "192.0.2.2")
    with pytest.raises(sqlite3.OperationalError):
        write_tallies(centre.parts)
    with centre.store.write() as db:
        db.execute("alter table hidden rename to audit")
    assert sorted(row["count"] for row in refusals(centre)) == [1, 2]
    centre.store.close()


def test_the_memory_is_bounded_where_nothing_can_be_written():
    tallies = Tallies()
    for number in range(MOST_WAITING + 5):
        tallies.add(Tally(AuditKind.REFUSED_CODE, "unknown", number, number + 1), Counted(1, number, {}))
    waiting = tallies.take()
    assert len(waiting) == MOST_WAITING
    assert min(tally.begin_ms for tally in waiting) == 5


def test_what_is_given_back_is_added_to_what_was_counted_meanwhile():
    tallies, tally, other = (
        Tallies(),
        Tally(AuditKind.REFUSED_CODE, "unknown", 0, 1),
        Tally(AuditKind.ENROLLED, "x", 0, 1),
    )
    tallies.add(tally, Counted(2, 5, {}))
    tallies.add(other, Counted(7, 5, {}))
    taken = tallies.take()
    tallies.add(tally, Counted(1, 6, {"from": "later"}))
    tallies.give_back(taken)
    assert tallies.take() == {tally: Counted(3, 6, {"from": "later"}), other: Counted(7, 5, {})}


class WatchedTallies(Tallies):
    """Tallies that tell when the background has come for them twice: what it took first is written then."""

    def __init__(self) -> None:
        super().__init__()
        self.visits = 0
        self.is_written = threading.Event()

    def take(self) -> dict[Tally, Counted]:
        self.visits += 1
        if self.visits > 1:
            self.is_written.set()
        return super().take()


def test_the_background_writes_the_counts_again_and_again(tmp_path: Path):
    centre = Centre(tmp_path, patients=1)
    tallies = WatchedTallies()
    parts = replace(centre.parts, tallies=tallies)
    note_refusal(parts, AuditKind.REFUSED_CODE, "192.0.2.1")
    background = Housekeeping(parts, tick_s=0.01)
    background.start()
    assert tallies.is_written.wait(30)
    assert centre.rows("select count(*) as n from audit where kind = 'refused:enroll-code'") == [{"n": 1}]
    background.stop()
    centre.store.close()


def test_a_clean_stop_loses_no_count(tmp_path: Path):
    centre = Centre(tmp_path, patients=1)
    background = Housekeeping(centre.parts, tick_s=600)
    background.start()
    note_refusal(centre.parts, AuditKind.REFUSED_CODE, "192.0.2.1")
    background.stop()
    assert centre.rows("select count(*) as n from audit where kind = 'refused:enroll-code'") == [{"n": 1}]
    centre.store.close()
