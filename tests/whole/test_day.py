"""All of it real: a card on pcscd, touches in Chromium, the journey at the centre, an outage, and the return."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from hardware.atr import processor_atr
from kiosk.demo import hospital
from kiosk.demo.hospital import Person, wait_for
from tests.commands import kiosk_command
from tests.components import demand_pcscd
from tests.hardware.rigs.vpcd import Pcscd, card_with, storage_card
from tests.kiosk.ui.browser import Kiosk
from tests.whole.town import WAIT_S, Town

pytestmark = [pytest.mark.pcscd, pytest.mark.browser, pytest.mark.processes, pytest.mark.xdist_group("pcscd")]


@pytest.fixture
def pcscd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pcscd]:
    """A real pcscd with a virtual reader, for a kiosk that starts after it."""
    demand_pcscd()
    with Pcscd(tmp_path / "pcscd") as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def town(tmp_path: Path, pcscd: Pcscd) -> Iterator[Town]:
    """A kiosk whose only reader is the PC/SC one."""
    made = Town(tmp_path / "town", readers=["pcsc"])
    try:
        made.open()
        wait_for(lambda: made.status()["readers"][0]["state"] == "ready", "the reader is not ready", WAIT_S)
        yield made
    finally:
        made.close()


def test_a_card_on_a_real_reader_stack_becomes_a_checked_in_patient_at_the_centre(
    town: Town, pcscd: Pcscd, browser: Browser
):
    first, *rest = town.people[:4]
    screen = Kiosk(browser, f"{town.places.kiosk_url}/").open(hospital.page_url(town.places))
    screen.await_screen("attract")
    with pcscd.insert(storage_card(bytes.fromhex(first.uid))):
        screen.await_text(first.masked_name)
    screen.press("next")
    screen.await_text("접수되었습니다")
    screen.press("next")
    screen.await_text("B-001")
    assert screen.complaints == []
    assert screen.stored == []
    screen.close()
    town.await_settled()
    state = town.state(first)
    assert state["journey_state"] == "WAITING"
    assert [line["queue_number"] for line in state["queue_details"]] == ["B-001"]

    town.central.kill()
    wait_for(lambda: not town.status()["online"], "the kiosk never noticed", WAIT_S)
    for taps, person in enumerate(rest, 4):
        _tap(pcscd, town, person, taps)
    assert town.status()["outbox"]["pending"] == 3
    town.start_central()
    town.await_settled()
    for person in rest:
        assert [row["action"] for row in town.history(person)] == ["scan_nfc"]
        assert town.state(person)["journey_state"] == "ARRIVED"
    assert {row["status"] for row in town.outbox()} == {"applied"}
    assert town.check()["ok"]


def test_it_sees_which_unknown_cards_were_refused_and_admits_their_form(town: Town, pcscd: Pcscd):
    get_uid, uid = bytes.fromhex("FFCA000000"), "04c1c2c3"
    card = card_with(processor_atr(b"JCOP41V22"), {get_uid: bytes.fromhex(uid) + b"\x90\x00"})
    shown = "3B8980014A434F50............"
    with pcscd.insert(card):
        wait_for(lambda: town.status()["unknown_forms"], "no unknown form", WAIT_S)
    (form,) = town.status()["unknown_forms"]
    assert (form["atr"], form["technology"], form["id_bytes"], form["count"]) == (shown, None, 4, 1)
    assert f"card     refused, of unknown form: {shown}" in kiosk_command(town.places, "status")
    log = (town.places.directory / "kiosk.log").read_text("utf-8")
    assert shown in log
    assert uid not in log.lower()

    assert town.kiosk is not None
    town.kiosk.stop()
    with town.places.config.open("a", encoding="utf-8") as config:
        config.write(f'[[card_form]]\natr = "{shown}"\ntechnology = "iso14443a"\n')
    town.start_kiosk()
    wait_for(lambda: town.status()["readers"][0]["state"] == "ready", "the reader is not ready", WAIT_S)
    with pcscd.insert(card):
        wait_for(lambda: "unknown_card" in _screen(town), "the card was not accepted", WAIT_S)
    assert town.status()["unknown_forms"] == []


def _screen(town: Town) -> str:
    return str(town.screen()["screen"])


def _tap(pcscd: Pcscd, town: Town, person: Person, actions: int) -> None:
    wait_for(lambda: not town.status()["fields"], "the card before never left", WAIT_S)
    with pcscd.insert(storage_card(bytes.fromhex(person.uid))):
        wait_for(lambda: len(town.outbox()) == actions, "the tap never became an action", WAIT_S)
