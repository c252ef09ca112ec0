"""A telephone scans the code on the kiosk while the network is away, and follows the visit to its end."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from kiosk.demo.hospital import page_url
from tests.kiosk.ui.browser import Kiosk
from tests.kiosk.ui.decode import decoded
from tests.whole.town import Town

pytestmark = [pytest.mark.processes, pytest.mark.browser]
PATIENCE_MS = 90_000  # the kiosk and the page come back with backoff


def telephone(browser: Browser, url: str) -> tuple[Page, list[str]]:
    """A small telephone that has opened a URL, and what its browser complains of."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale="en-US", reduced_motion="reduce")
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    return page, complaints


def says(page: Page, text: str) -> None:
    expect(page.locator("main")).to_contain_text(text, timeout=PATIENCE_MS)


@pytest.mark.timeout(300)
def test_a_telephone_that_scans_the_code_follows_the_visit_from_the_cut_network_to_its_end(
    town: Town, browser: Browser
):
    person = next(each for each in town.people if each.booked == 1)
    screen = Kiosk(browser, town.places.kiosk_url).open(page_url(town.places))
    town.go_offline()
    number = town.check_in(person)["ticket"]["queue_number"]
    screen.await_text(number)
    url = decoded(screen.page.screenshot())
    assert url is not None
    assert url.startswith(f"{town.places.central_url}/visit/#nv_")
    secret = url.partition("#")[2]

    page, complaints = telephone(browser, url)
    says(page, "The hospital does not know this number yet")
    screen.press("home")
    screen.await_screen("attract")
    assert screen.page.locator(".telephone").count() == 0

    town.wire.mend()
    says(page, number)
    says(page, "Please wait until it is called")
    assert person.patient_id not in page.content()
    assert person.masked_name not in page.content()

    assert town.perform(person, "call_patient", room="7").ok
    says(page, "Please go to room 7")
    town.by_hand(person, "start_exam", "complete_exam", "make_payment", "make_payment")
    page.get_by_role("button", name="Leave the hospital").click()
    says(page, "This visit is over")
    assert complaints == []
    page.context.close()
    screen.close()

    town.kiosk.stop()
    kept = [file for file in town.places.directory.rglob("*") if file.is_file()]
    assert [file.name for file in kept if secret.encode() in file.read_bytes()] == []
