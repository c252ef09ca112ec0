"""The page of the exception inbox in Chromium: each case in words, and settled as it was seen, in a person's name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from sync.central.records.cases import BOOKING_MOVED, NewCase, open_case
from sync.central.records.duties import Duty
from sync.ids import new_id
from tests.sync.central.box import Box
from tests.sync.central.online import API, Online
from tests.sync.central.staff.axe import faults
from tests.sync.central.staff.inbox import (
    PATIENCE_MS,
    Line,
    inbox,
    registered_without_arrival,
    stranger_with_card,
)
from tests.sync.central.staff.people import person, signed_in

pytestmark = pytest.mark.browser


@pytest.fixture
def box(online: Online) -> Box:
    return Box(online)


def shown(online: Online, exception_id: str) -> dict[str, Any]:
    return dict(online.call("GET", f"{API}/exceptions/{exception_id}/", online.staff).json())


def arrived(online: Online, box: Box) -> tuple[str, str]:
    """A patient who has arrived, and the case of their registration before that."""
    patient_id = online.newcomer()
    exception_id = registered_without_arrival(online, box, patient_id)
    assert online.act(online.staff, "scan_nfc", patient_id=patient_id).ok
    return patient_id, exception_id


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ko", ("현재 상태와 맞지 않는 절차", "확인할 것", "인정하기", "접수하기")),
        ("en", ("Step does not fit", "What to check", "Let it count", "Register now")),
    ],
)
@pytest.mark.parametrize("width", [1366, 640])
def test_a_case_is_told_in_words_that_everybody_can_read(
    online: Online, browser: Browser, box: Box, language: str, words: tuple[str, ...], width: int
):
    _, exception_id = arrived(online, box)
    with inbox(browser, online, language=language, viewport={"width": width, "height": 800}) as page:
        page.open(exception_id)
        page.button("apply")
        for each in words:
            page.has(each)
        assert exception_id not in page.case.inner_text(), "no id stands where a nurse reads"
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width
        assert faults(page.page) == []
        page.button("discard").click()
        page.page.locator("dialog[open]").wait_for()
        assert faults(page.page) == []


def test_a_case_is_settled_as_it_was_seen_and_in_the_name_of_the_person(online: Online, browser: Browser, box: Box):
    patient_id, exception_id = arrived(online, box)
    with inbox(browser, online) as page:
        page.open(exception_id)
        button = page.button("apply")
        expect(page.way("apply")).to_contain_text("Arrived → Registered")
        assert online.state(online.staff, patient_id=patient_id).json()["journey_state"] == "ARRIVED"
        button.click()
        page.answer("she was there")
        page.says("Settled: It counts")
        expect(page.row(exception_id)).to_have_count(0)
        assert online.state(online.staff, patient_id=patient_id).json()["journey_state"] == "REGISTERED"
        settled = shown(online, exception_id)
        assert (settled["settled_by_name"], settled["settlement"]["reason"]) == ("박서연", "she was there")
        page.page.get_by_role("button", name="Settled today").click()
        page.open(exception_id)
        page.has("박서연 settled this case at")
        page.has("she was there")
        expect(page.way("apply")).to_have_count(0)


def test_a_case_is_settled_by_keys_alone(online: Online, browser: Browser, box: Box):
    first, second = arrived(online, box)[1], arrived(online, box)[1]
    with inbox(browser, online) as page:
        keyboard = page.page.keyboard
        while page.row(first).get_attribute("aria-current") is None:
            keyboard.press("ArrowDown")
        expect(page.row(first)).to_have_attribute("aria-current", "true")
        keyboard.press("ArrowDown")
        expect(page.row(second)).to_have_attribute("aria-current", "true")
        page.button("discard")
        keyboard.press("d")
        dialog = page.page.locator("dialog[open]")
        dialog.wait_for()
        keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        keyboard.press("d")
        dialog.locator("textarea").press_sequentially("twice")
        keyboard.press("Tab")
        keyboard.press("Enter")
        page.says("Settled: It does not count")
        assert shown(online, second)["settlement"]["reason"] == "twice"
        assert shown(online, first)["settled_at"] is None


def test_a_discarded_case_needs_a_reason(online: Online, browser: Browser, box: Box):
    exception_id = arrived(online, box)[1]
    with inbox(browser, online) as page:
        page.open(exception_id)
        page.button("discard").click()
        page.answer(button="danger")
        expect(page.page.locator("dialog[open]")).to_contain_text("Please fill in: Reason")
        page.answer("a double", "danger")
        page.says("Settled: It does not count")


def test_a_strangers_case_is_assigned_and_the_card_bound(online: Online, browser: Browser, box: Box):
    exception_id, patient_id = stranger_with_card(online, box, "04c0ffee00aa01"), online.newcomer()
    with inbox(browser, online) as page:
        page.open(exception_id)
        page.has("Unknown card")
        expect(page.way("apply")).to_contain_text("The centre knows no patient of this card.")
        page.page.get_by_label("Patient: name").fill(patient_id)
        page.page.keyboard.press("Enter")
        page.page.locator(f'[data-patient="{patient_id}"]').click()
        expect(page.way("reassign")).to_contain_text("The card becomes the patient's.")
        expect(page.way("reassign")).to_contain_text("Not checked in → Arrived")
        page.button("reassign").click()
        page.answer()
        page.says("Settled: Assigned to a patient")
    assert online.state(online.staff, patient_id=patient_id).json()["journey_state"] == "ARRIVED"
    bindings = online.call("GET", f"{API}/patients/{patient_id}/bindings/", online.staff).json()["bindings"]
    assert [each["origin"] for each in bindings if each["state"] == "active"][-1] == "case"


def test_a_birth_date_beside_a_name_finds_the_one(online: Online, browser: Browser, box: Box):
    exception_id, patient_id = stranger_with_card(online, box, "04c0ffee00aa02"), online.newcomer()
    with inbox(browser, online) as page:
        page.open(exception_id)
        search = page.page.get_by_label("Patient: name")
        for query, found in ((f"{patient_id} 1970-01-01", 1), (f"{patient_id} 19710101", 0)):
            search.fill(query)
            search.press("Enter")
            expect(page.page.locator(".found")).not_to_have_text("Searching.")
            expect(page.page.locator("[data-patient]")).to_have_count(found)
        search.fill("1970-01-01")
        search.press("Enter")
        expect(page.page.locator(".found")).to_contain_text("beside the birth date")


def test_two_people_see_each_other_and_the_second_is_told_who_settled_it(online: Online, browser: Browser, box: Box):
    exception_id = arrived(online, box)[1]
    kim, lee = (person(online, Duty.RECEPTION, name=name) for name in ("김하늘", "이도윤"))
    with inbox(browser, online, kim) as one, inbox(browser, online, lee) as two:
        one.open(exception_id)
        two.open(exception_id)
        one.has("Also open at: 이도윤.")
        two.has("Also open at: 김하늘.")
        expect(one.row(exception_id)).to_contain_text("open at: 이도윤")
        two.button("discard")
        one.button("discard").click()
        one.answer("a test", "danger")
        two.says("김하늘 has settled this case: It does not count")
        two.has("김하늘 settled this case at")
        expect(two.way("discard")).to_have_count(0)
        expect(two.case.get_by_text("Also open at")).to_have_count(0)


def test_what_somebody_writes_stays_whoever_else_comes(online: Online, browser: Browser, box: Box):
    exception_id = arrived(online, box)[1]
    with inbox(browser, online) as one, inbox(browser, online, person(online, name="이도윤")) as two:
        one.open(exception_id)
        one.button("discard")
        search = one.page.get_by_label("Patient: name")
        search.press_sequentially("Kim")
        two.open(exception_id)
        one.has("Also open at: 이도윤.")
        search.press_sequentially(" Min")
        expect(search).to_have_value("Kim Min")
        expect(search).to_be_focused()


def test_a_new_case_comes_by_itself(online: Online, browser: Browser, box: Box):
    with inbox(browser, online) as page:
        exception_id = registered_without_arrival(online, box, online.newcomer())
        expect(page.row(exception_id)).to_be_visible(timeout=PATIENCE_MS)


def test_what_changed_since_it_was_seen_is_not_settled(online: Online, browser: Browser, box: Box):
    patient_id, exception_id = arrived(online, box)
    with inbox(browser, online) as page:
        page.open(exception_id)
        page.button("apply").click()
        assert online.act(online.staff, "register", patient_id=patient_id).ok
        page.answer()
        page.says("Something has changed since you looked. Nothing was done.")
        assert shown(online, exception_id)["settled_at"] is None
        page.button("discard").click()
        page.answer("done at the desk", "danger")
        page.says("Settled: It does not count")


def test_what_a_way_would_do_follows_the_patient(online: Online, browser: Browser, box: Box):
    patient_id, exception_id = arrived(online, box)
    with inbox(browser, online) as page:
        page.open(exception_id)
        expect(page.way("apply")).to_contain_text("Arrived → Registered")
        assert online.act(online.staff, "register", patient_id=patient_id).ok
        expect(page.way("apply")).to_contain_text("Registration: had been done already, and stays so")


def test_the_navigation_says_how_many_cases_are_open(online: Online, browser: Browser, box: Box):
    arrived(online, box)
    open_now = online.call("GET", f"{API}/exceptions/count/", online.staff).json()["open"]
    with inbox(browser, online) as page:
        badge = page.page.locator("nav [data-page=inbox] .count")
        expect(badge).to_contain_text(str(open_now))
        arrived(online, box)
        expect(badge).to_contain_text(str(open_now + 1))


def test_a_settlement_whose_answer_is_lost_is_repeated_as_the_same(online: Online, browser: Browser, box: Box):
    exception_id = arrived(online, box)[1]
    sent: list[str] = []

    def lose_the_first(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "{}")["action_id"])
        answer = route.fetch()
        route.abort() if len(sent) == 1 else route.fulfill(response=answer)

    with inbox(browser, online) as page:
        page.page.route("**/settle/", lose_the_first)
        page.open(exception_id)
        page.button("apply").click()
        page.answer()
        page.says("Settled: It counts")
    assert len(sent) == 2
    assert len(set(sent)) == 1


def test_without_a_connection_nothing_is_sent(online: Online, browser: Browser, box: Box):
    exception_id, line = arrived(online, box)[1], Line()
    with inbox(browser, online, line=line) as page:
        page.open(exception_id)
        page.button("apply")
        line.cut()
        expect(page.page.locator("#connection")).to_contain_text("No connection to the centre since")
        expect(page.page.locator('[data-name="settle-apply"]')).to_have_attribute("aria-disabled", "true")
        page.page.keyboard.press("a")
        page.says("There is no connection to the centre. Nothing was sent.")
        page.has("Step does not fit")
        line.mend()
        page.button("apply")
    assert shown(online, exception_id)["settled_at"] is None


def test_all_repeats_of_a_kiosk_are_counted_and_then_discarded(online: Online, browser: Browser, box: Box):
    ids = [arrived(online, box)[1] for _ in range(3)]
    with inbox(browser, online) as page:
        page.page.locator("#filter-kiosk").select_option(box.kiosk_id)
        expect(page.page.locator(".cases .case")).to_have_count(3)
        page.open(ids[0])
        page.has("3 cases of this kind are open at this kiosk.")
        page.page.get_by_role("button", name="Discard them all").click()
        dialog = page.page.locator("dialog[open]")
        expect(dialog).to_contain_text("3 cases will be discarded.")
        assert shown(online, ids[0])["settled_at"] is None, "they were counted alone"
        page.answer("a stolen kiosk", "danger")
        page.says("3 cases were discarded.")
        expect(page.page.locator("#list")).to_contain_text("No case of this kind is open.")
    assert {shown(online, each)["settled_by_name"] for each in ids} == {"박서연"}


def test_a_report_is_closed_and_changes_nothing_else(online: Online, browser: Browser):
    patient_id, exception_id = online.newcomer(), new_id()
    booking = {"exam_id": "blood", "scheduled_at": "2026-03-02T09:30", "site_day": "2026-03-02", "status": "waiting"}
    detail = {"queue_number": "A-004", "before": booking, "after": {**booking, "status": "cancelled"}}
    with online.centre.store.write() as db:
        open_case(db, exception_id, NewCase(BOOKING_MOVED, None, detail, patient_id), online.centre.clock())
    with inbox(browser, online) as page:
        page.open(exception_id)
        page.has("Booking moved after the call")
        page.has("HIV test · Mar 2, 2026 9:30 AM · Cancelled")
        expect(page.way("apply")).to_have_count(0)
        page.button("discard").click()
        page.answer("told the patient")
        page.says("Settled")
    assert shown(online, exception_id)["settlement"]["reason"] == "told the patient"


def test_a_case_stays_open_when_the_page_is_loaded_again(online: Online, browser: Browser, box: Box):
    exception_id = arrived(online, box)[1]
    with inbox(browser, online) as page:
        page.open(exception_id)
        page.page.reload()
        page.has("Step does not fit")
        expect(page.row(exception_id)).to_have_attribute("aria-current", "true")


def test_from_a_case_that_is_in_no_list_the_way_back_leads_to_the_lists(online: Online, browser: Browser, box: Box):
    exception_id = arrived(online, box)[1]
    with inbox(browser, online, viewport={"width": 800, "height": 480}) as page:
        page.open(exception_id)
        page.page.locator('[data-tab="settled"]').click()
        page.page.get_by_role("button", name="Back to the list").click()
        expect(page.page.locator('[data-tab="settled"]')).to_be_focused()


def test_somebody_without_the_duty_does_not_get_in(online: Online, browser: Browser):
    with signed_in(browser, online, person(online, Duty.EXAM_ROOM), "/staff/inbox", locale="en-US") as page:
        expect(page.locator("h1")).to_have_text("This page is not for you")
