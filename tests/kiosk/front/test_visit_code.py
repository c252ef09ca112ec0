"""The QR code of a visit at the reception: when it is made, how long it is there, and what is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.front.screen import Screen
from sync.protocol import Intent
from sync.visit_secret import hash_of_secret, is_secret
from tests.kiosk.reception_rig import ReceptionRig
from tests.kiosk.samples import uid
from tests.kiosk.ui.decode import text_of

URL = "https://checkin.hospital.example"
ALL = ("scan_nfc", "register", "confirm_arrival")


@pytest.fixture
def coded(tmp_path: Path) -> Iterator[ReceptionRig]:
    """A reception whose kiosk knows the centre's public URL, and does every step by itself."""
    made = ReceptionRig(tmp_path, ALL, URL)
    yield made
    made.store.close()


def secret_of(screen: Screen) -> str:
    """The secret in the code on a screen."""
    assert screen.visit_code is not None
    text = text_of(screen.visit_code)
    assert text is not None
    page, _, secret = text.partition("#")
    assert page == f"{URL}/visit/"
    assert is_secret(secret)
    return secret


def intents(rig: ReceptionRig) -> list[Intent]:
    with rig.store.read() as db:
        return [msgspec.json.decode(row[0], type=Intent) for row in db.execute("select body from outbox order by seq")]


def test_a_confirmed_arrival_shows_a_code_whose_hash_goes_to_the_centre(coded: ReceptionRig, tmp_path: Path):
    secret = secret_of(coded.tap(uid(1)))
    assert [each.visit_hash for each in intents(coded)] == ["", "", hash_of_secret(secret)]
    assert [each.payload for each in intents(coded)] == [{}, {}, {}]
    coded.store.close()
    kept = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert kept
    assert [file.name for file in kept if secret.encode() in file.read_bytes()] == []


def test_a_press_makes_a_code_as_a_tap_does(tmp_path: Path):
    rig = ReceptionRig(tmp_path, visit_url=URL)
    registered = rig.press(rig.tap(uid(1)))
    assert registered.visit_code is None
    assert secret_of(rig.press(registered))
    rig.store.close()


def test_a_kiosk_without_the_public_url_makes_no_code(tmp_path: Path):
    rig = ReceptionRig(tmp_path, ALL)
    assert rig.tap(uid(1)).visit_code is None
    assert {each.visit_hash for each in intents(rig)} == {""}
    rig.store.close()


def test_the_code_goes_with_the_person_and_does_not_come_back(coded: ReceptionRig):
    secret_of(coded.tap(uid(1)))
    assert coded.leave().visit_code is None
    assert coded.tap(uid(1)).visit_code is None, "the kiosk has forgotten the secret"


def test_the_next_person_sees_no_code_of_the_one_before(coded: ReceptionRig):
    first = secret_of(coded.tap(uid(1)))
    second = secret_of(coded.tap(uid(2)))
    assert first != second


def test_a_second_tap_of_the_person_on_the_screen_keeps_the_code(coded: ReceptionRig):
    assert secret_of(coded.tap(uid(1))) == secret_of(coded.tap(uid(1)))
