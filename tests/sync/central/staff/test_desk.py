"""The card desk in Chromium before a real centre: reception's day, by mouse and by key."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Route, expect

from sync.protocol import DeskWord
from tests.sync.central.centre import DAY, card
from tests.sync.central.desk.asking import DeskKiosk
from tests.sync.central.online import Online
from tests.sync.central.staff.reception import awaited, desk, hold

pytestmark = pytest.mark.browser
NEW = "04c0ffee99aa01"


@pytest.fixture(scope="module")
def kiosk(online: Online) -> DeskKiosk:
    return DeskKiosk(online.centre)


def bindings(online: Online, patient_id: str) -> list[str]:
    rows = online.call("GET", f"/api/v1/patients/{patient_id}/bindings/", online.staff).json()["bindings"]
    return [row["state"] for row in rows]


def number_of(patient_id: str) -> int:
    return int(patient_id[1:])


def test_a_patient_is_found_by_name_and_birth_date_and_the_record_shown(online: Online, browser: Browser):
    patient_id = online.newcomer()
    with desk(browser, online) as screen:
        screen.find(f"환자{number_of(patient_id):02d} 19700101")
        expect(screen.record).to_contain_text(patient_id)
        expect(screen.record).to_contain_text("1970-01-01")
        expect(screen.record).to_contain_text("HIV test")
        screen.find("nobody of this name")
        expect(screen.page.locator("#desk-found")).to_contain_text("Nobody was found")


def test_several_found_are_chosen_by_the_keys(online: Online, browser: Browser):
    with desk(browser, online) as screen:
        screen.page.keyboard.type("환자")
        screen.page.keyboard.press("Enter")
        expect(screen.page.locator("#desk-found li").first).to_be_visible()
        expect(screen.page.locator("#desk-found li button").first).to_be_focused()
        screen.page.keyboard.press("ArrowDown")
        screen.page.keyboard.press("Enter")
        expect(screen.page.locator("#desk-name")).to_be_focused()


def test_escape_leaves_the_search_so_that_letters_are_keys(online: Online, browser: Browser):
    with desk(browser, online) as screen:
        expect(screen.page.locator("#desk-text")).to_be_focused()
        screen.page.keyboard.press("Escape")
        screen.page.keyboard.press("r")
        screen.asks("Birth date")


def test_a_walk_in_is_registered_and_gets_a_number_in_one_press_after_a_look_at_doubles(
    online: Online, browser: Browser
):
    with desk(browser, online) as screen:
        for doubled in (False, True):
            screen.page.locator("#desk-name, #desk-register").last.focus()
            screen.page.keyboard.press("r")
            screen.fill("Name", "Anna Walker")
            screen.fill("Birth date", "1980-05-05")
            screen.choose("Into a line now", "Chest X-ray · Room 2")
            screen.confirm("Go on")
            if doubled:
                screen.asks("Is it one of these?")
                screen.tick("None of them")
                screen.confirm("Go on")
            screen.says("Anna Walker is registered and waits with the number C-")
            expect(screen.record).to_contain_text("desk-")
            expect(screen.record).to_contain_text("Waiting")
            screen.page.get_by_role("button", name="Close this message").click()
    rows = online.centre.rows("select patient_id from patients where name = 'Anna Walker'")
    assert len(rows) == 2


def test_what_cannot_be_registered_is_said_in_a_sentence_and_the_typed_stays(online: Online, browser: Browser):
    taken = online.newcomer()
    with desk(browser, online) as screen:
        screen.page.locator("#desk-register").click()
        screen.fill("Name", "Berta Future")
        screen.fill("Birth date", "2040-01-01")
        screen.confirm("Go on")
        screen.says("it is in the future")
        expect(screen.dialog.get_by_label("Name")).to_have_value("Berta Future")
        screen.fill("Birth date", "")
        screen.fill("Hospital number", taken)
        screen.confirm("Go on")
        screen.asks("Is it one of these?")
        screen.tick("None of them")
        screen.confirm("Go on")
        screen.says("A patient has this hospital number already")
        screen.page.keyboard.press("Escape")


def test_a_patient_gets_into_a_line_and_a_second_time_is_refused_in_words(online: Online, browser: Browser):
    patient_id = online.newcomer()
    with desk(browser, online) as screen:
        screen.open(patient_id)
        screen.page.keyboard.press("l")
        screen.confirm("Give a number")
        screen.says("waits with the number C-")
        screen.press("Into a line")
        screen.confirm("Give a number")
        screen.says("Where the patient stands: Waiting")


def test_a_press_is_for_the_record_on_the_screen_whoever_is_opened_meanwhile(online: Online, browser: Browser):
    one, other = online.newcomer(), online.newcomer()
    with desk(browser, online) as screen:
        held: list[Route] = []
        screen.page.route("**/api/v1/desk/", lambda route: held.append(route))
        screen.open(one)
        screen.press("Into a line")
        screen.open(other)
        held[0].continue_()
        screen.asks(f"Into a line: 환자{number_of(one):02d}")


def test_a_message_stays_for_who_is_at_it_and_gives_the_focus_back(online: Online, browser: Browser):
    with desk(browser, online) as screen:
        screen.page.evaluate("import('/staff/static/say.js').then(({ say }) => void say('Done so.', { stays: 1000 }))")
        screen.says("Done so.")
        screen.page.locator("#desk-register").focus()
        close = screen.page.get_by_role("button", name="Close this message")
        close.focus()
        screen.page.wait_for_timeout(1500)
        screen.page.keyboard.press("Enter")
        expect(close).to_have_count(0)
        expect(screen.page.locator("#desk-register")).to_be_focused()


def test_the_wait_for_a_card_ends_with_the_session(online: Online, browser: Browser, kiosk: DeskKiosk):
    with desk(browser, online) as screen:
        screen.open(online.newcomer())
        screen.page.route("**/api/v1/desk/cards/*/", lambda route: route.fulfill(status=401, json={"code": "no"}))
        screen.press("New card")
        screen.confirm("Ask for the card")
        screen.asks("You are signed out")
        expect(screen.page.locator("#desk-wait-title")).to_have_count(0)
    with online.centre.store.write() as db:  # the next test finds the kiosk free
        db.execute("update desk_cards set ended_ms = asked_ms where ended_ms is null", {})


def test_details_and_bookings_are_changed_by_hand(online: Online, browser: Browser):
    patient_id = online.newcomer(booked=False)
    with desk(browser, online) as screen:
        screen.open(patient_id)
        screen.press("Change details")
        screen.asks("The hospital's system has the last word")
        screen.fill("Name", "Carla Changed")
        screen.confirm("Save")
        expect(screen.page.locator("#desk-name")).to_contain_text("Carla Changed")
        screen.press("Book")
        screen.choose("Exam", "Chest X-ray · Room 2")
        screen.fill("Day", DAY)
        screen.fill("Time", "11:30")
        screen.confirm("Save")
        screen.says("The booking is made")
        expect(screen.record).to_contain_text("by hand")
        screen.press("Move")
        screen.fill("Time", "12:45")
        screen.confirm("Save")
        screen.says("The booking is moved")
        expect(screen.record).to_contain_text("12:45")
        screen.press("Cancel booking")
        screen.confirm("Cancel booking")
        screen.says("The booking is cancelled")
        expect(screen.record).to_contain_text("Book again")


def test_the_next_card_at_a_kiosk_is_bound_once_it_is_confirmed(online: Online, browser: Browser, kiosk: DeskKiosk):
    patient_id = online.newcomer()
    with desk(browser, online) as screen:
        screen.open(patient_id)
        screen.press("New card")
        screen.confirm("Ask for the card")
        screen.asks("is being asked")
        ask_id = awaited(online, kiosk)
        kiosk.say(DeskWord.SHOWN, ask_id)
        screen.asks("asks for the card now")
        kiosk.say(DeskWord.REFUSED, ask_id, reason="phone")
        screen.asks("A phone was held")
        kiosk.hold(ask_id, NEW)
        screen.asks("A card was read at")
        screen.asks("09:00:00")
        screen.asks("The card is nobody's")
        assert bindings(online, patient_id) == ["active"]
        screen.fill("Name of the card", "blue card")
        screen.confirm("Bind it to")
        screen.says("The card is bound")
        expect(screen.record).to_contain_text("blue card")
    assert bindings(online, patient_id) == ["active", "active"]


def test_a_lost_card_is_replaced_in_one_flow(online: Online, browser: Browser, kiosk: DeskKiosk):
    patient_id = online.newcomer()
    with desk(browser, online) as screen:
        screen.open(patient_id)
        screen.press("Replace")
        screen.tick("It is lost or stolen")
        screen.confirm("Go on")
        screen.confirm("Ask for the card")
        hold(online, kiosk, "04c0ffee99aa02")
        screen.asks("A card was read at")
        screen.confirm("Bind it to")
        screen.says("the old one is blocked")
        screen.press("Unblock")
        screen.confirm("Unblock")
        screen.says("The card is unblocked")
    assert bindings(online, patient_id) == ["ended", "active"]


def test_the_card_of_another_patient_is_named_and_discarded(online: Online, browser: Browser, kiosk: DeskKiosk):
    patient_id, other = online.newcomer(), online.newcomer()
    with desk(browser, online) as screen:
        screen.open(patient_id)
        screen.press("New card")
        screen.confirm("Ask for the card")
        hold(online, kiosk, card(number_of(other)))
        screen.asks(f"It belongs to another patient: 환자{number_of(other):02d}")
        screen.confirm("Discard")
        expect(screen.dialog).to_have_count(0)
    assert bindings(online, other) == ["active"]
    assert bindings(online, patient_id) == ["active"]


def test_a_patient_is_found_by_a_card_at_a_kiosk(online: Online, browser: Browser, kiosk: DeskKiosk):
    patient_id = online.newcomer()
    with desk(browser, online) as screen:
        screen.page.locator("#desk-card").click()
        screen.confirm("Ask for the card")
        hold(online, kiosk, card(number_of(patient_id)))
        screen.asks("It belongs to")
        screen.confirm("Open the record")
        expect(screen.record).to_contain_text(patient_id)


def test_the_end_of_a_wait_is_said_and_it_is_asked_again(online: Online, browser: Browser, kiosk: DeskKiosk):
    with desk(browser, online) as screen:
        screen.page.locator("#desk-card").click()
        screen.confirm("Ask for the card")
        kiosk.say(DeskWord.CANCELLED, awaited(online, kiosk))
        screen.asks("Somebody has ended the wait")
        screen.confirm("Ask again")
        screen.confirm("Ask for the card")
        screen.asks("is being asked")
        awaited(online, kiosk)
        screen.page.keyboard.press("Escape")
        expect(screen.dialog).to_have_count(0)


def test_two_records_are_compared_and_merged(online: Online, browser: Browser):
    kept = online.newcomer()
    name = f"환자{number_of(kept):02d}"
    made = {"name": name, "birth_date": "1971-01-01", "walk_in": True, "exam_id": "xray"}
    gone = online.call("POST", "/api/v1/desk/patients/", online.staff, json=made).json()["patient_id"]
    with desk(browser, online) as screen:
        screen.open(gone)
        screen.press("Merge records")
        screen.confirm("Find")
        screen.tick(kept)
        screen.confirm("Compare")
        screen.asks("The birth dates are different")
        screen.asks("After the merge")
        expect(screen.dialog.locator(".desk-sides > div").first).to_contain_text(kept)
        screen.dialog.get_by_role("button", name="Merge", exact=True).click()
        screen.says("The records are merged")
        expect(screen.record).to_contain_text(kept)
        expect(screen.record).to_contain_text("Merged numbers")


def test_a_copy_of_a_ticket_is_shown_and_printed_with_the_number_that_there_is(online: Online, browser: Browser):
    patient_id = online.newcomer()
    online.centre.walk(patient_id, "scan_nfc", "register", "confirm_arrival")
    number = online.centre.state(patient_id)["queue_details"][0]["queue_number"]
    with desk(browser, online) as screen:
        screen.page.evaluate("window.print = () => (window.printed = document.querySelector('#desk-ticket').innerText)")
        screen.open(patient_id)
        screen.page.keyboard.press("t")
        screen.asks("Copy")
        screen.asks(number)
        screen.confirm("Print")
        printed = screen.page.evaluate("window.printed")
    assert number in printed
    assert "Blood test" in printed
    assert "HIV" not in printed


def test_a_press_without_an_answer_is_repeated_as_the_same_action(online: Online, browser: Browser):
    patient_id, sent = online.newcomer(), list[str]()
    with desk(browser, online) as screen:
        screen.open(patient_id)

        def lose(route, request):
            sent.append(request.post_data_json["action_id"])
            if len(sent) == 1:
                route.fetch()  # the centre does it, and its answer is lost
                route.abort()
            else:
                route.continue_()

        screen.page.route("**/walk-in/", lose)
        screen.press("Into a line")
        screen.confirm("Give a number")
        screen.says("waits with the number")
    assert len(set(sent)) == 1
    assert len(sent) == 2
    rows = online.centre.rows("select queue_id from entries where patient_id = :id", id=patient_id)
    assert len(rows) == 1
