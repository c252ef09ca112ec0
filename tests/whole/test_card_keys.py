"""The card keys rotate between real processes: a kiosk without the network, a stolen kiosk, a command in words."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.demo.hospital import start_kiosk, wait_for
from sync.cards import CardKeys, canonical_tag, read_keys
from tests.commands import central_command
from tests.whole.town import WAIT_S, Town

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]


def keys_of_kiosk(town: Town) -> CardKeys:
    return read_keys(town.places.directory / "kiosk.db.keys")


def secrets_of_centre(town: Town) -> CardKeys:
    return read_keys(town.places.directory / "central.db.keys")


def test_a_rotation_while_a_kiosk_is_away_costs_no_tap_before_it_or_after_it(tmp_path: Path):
    town = Town(tmp_path)
    try:
        town.open()
        before, during, after, *_ = town.people
        assert town.check_in(before)["journey"]["journey_state"] == "WAITING"
        town.go_offline()
        shown = central_command(town.places, "card-keys", "rotate")
        newest = secrets_of_centre(town).newest
        assert f"0 of 1 kiosks have {newest}" in shown
        assert not any(key.secret in shown for key in secrets_of_centre(town).keys)
        assert town.check_in(during)["journey"]["journey_state"] == "WAITING", "a tap without the network"
        town.wire.mend()
        town.await_settled()
        wait_for(lambda: keys_of_kiosk(town) == secrets_of_centre(town), "the key never came", WAIT_S)
        assert town.check_in(after)["journey"]["journey_state"] == "WAITING"
        town.await_settled()
        for person in (before, during, after):
            assert town.state(person)["journey_state"] == "WAITING"
        assert {row["status"] for row in town.outbox()} == {"applied"}
        listed = json.loads(central_command(town.places, "card-keys", "--json"))
        assert [(key["key_id"], key["stored"] > 0) for key in listed["keys"]] == [
            (secrets_of_centre(town).ids[0], False),
            (newest, True),
        ]
        wait_for(lambda: "1 of 1 kiosks" in central_command(town.places, "card-keys"), "nobody was told", WAIT_S)
        _restart_and_tap(town)
    finally:
        town.close()


def _restart_and_tap(town: Town) -> None:
    """Both ends start again with their key files, and a card is known at once."""
    assert town.kiosk is not None
    town.kiosk.stop()
    town.stop_central()
    town.start_central()
    town.open()
    person = town.people[-1]
    town.tap(person)
    assert town.screen()["patient"]["patient_id"] == person.patient_id


def test_the_key_of_a_stolen_kiosk_matches_nothing_that_the_centre_stores_after_a_rotation(tmp_path: Path):
    town = Town(tmp_path)
    try:
        town.open()
        stolen = keys_of_kiosk(town)
        (kiosk,) = json.loads(central_command(town.places, "kiosks list", "--json"))
        assert town.kiosk is not None
        town.kiosk.stop()
        central_command(town.places, "kiosks revoke", kiosk["kiosk_id"])
        central_command(town.places, "card-keys", "rotate")
        town.kiosk = start_kiosk(town.places)  # the thief plugs it in again; it is out of order once it has ended
        erased = town.places.directory / "kiosk.db.keys"
        wait_for(lambda: not erased.exists(), "the kiosk was never told", WAIT_S)
        town.stop_central()
        with closing(sqlite3.connect(town.places.directory / "central.db")) as db:
            stored = {row[0] for row in db.execute("select uid_hash from binding_hashes")}
        town.start_central()
        people = [*town.people, *town.unbooked]
        assert not any(card.uid_hash in stored for each in people for card in stolen.hashes(canonical_tag(each.uid)))
        newest = secrets_of_centre(town)
        assert all(newest.hashes(canonical_tag(each.uid))[0].uid_hash in stored for each in people)
        assert stolen.newest != newest.newest
    finally:
        town.close()


def test_a_hospital_that_refuses_short_uids_says_so_at_the_kiosk(tmp_path: Path):
    town = Town(tmp_path)
    try:
        town.open()
        hospital_card = town.people[0]
        central_command(town.places, "site", "--refuse-short-uids")
        wait_for(lambda: _refused(town), "the kiosk never refused the card", WAIT_S)
        town.tap(hospital_card)
        assert town.screen()["patient"]["patient_id"] == hospital_card.patient_id
        central_command(town.places, "site", "--accept-short-uids")
        wait_for(lambda: not _refused(town), "the kiosk never took the card again", WAIT_S)
    finally:
        town.close()


def _refused(town: Town) -> bool:
    town.ask("tap", uid="C0FFEE77")
    screen = town.screen()
    assert screen["screen"] in ("refused_card", "unknown_card")
    return bool(screen["reason"] == "short_uid")
