"""Nothing moves under a finger: rows keep their place, their elements and the focus while the line changes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, expect

from tests.sync.central.online import Online
from tests.sync.central.staff.people import person, signed_in
from tests.sync.central.staff.ward import board, clear, number, waiting

pytestmark = pytest.mark.browser

# A list of ids in a page, drawn by the module of the board.
LIST = """async () => {
  const { KeyedList } = await import("/staff/static/board_list.js");
  const element = document.createElement("ol");
  document.getElementById("content").replaceChildren(element);
  const make = ({ id }) => {
    const item = document.createElement("li");
    item.append(Object.assign(document.createElement("button"), { textContent: id }));
    return item;
  };
  window.made = new Map();
  window.list = new KeyedList(element, { idOf: ({ id }) => id, make, draw: () => {}, isSame: () => true });
}"""
SHOW = """([ids, focused]) => {
  window.list.element.querySelector(`[data-id="${focused}"] button`)?.focus();
  const before = new Map(window.list.ids.map((id) => [id, window.list.at(id)]));
  const hadFocus = document.activeElement.textContent;
  let moves = 0;
  const insert = window.list.element.insertBefore;
  window.list.element.insertBefore = function (...all) { moves += 1; return insert.apply(this, all); };
  window.list.show(ids.map((id) => ({ id })));
  delete window.list.element.insertBefore;
  const kept = ids.every((id) => !before.has(id) || before.get(id) === window.list.at(id));
  return { ids: window.list.ids, kept, moves, hadFocus, focus: document.activeElement.textContent };
}"""
IDS = st.lists(st.sampled_from([f"q{n}" for n in range(9)]), unique=True)


@pytest.fixture(scope="module")
def page(online: Online, browser: Browser):
    with signed_in(browser, online, person(online), "/staff/board") as page:
        page.get_by_role("dialog").wait_for()  # it asks for the exams
        page.keyboard.press("Escape")
        yield page


@settings(max_examples=60)
@given(orders=st.lists(IDS, min_size=2, max_size=5), focused=st.sampled_from(["q1", "q5"]))
def test_any_order_becomes_any_other_with_the_same_elements_and_the_same_focus(
    page: Page, orders: list[list[str]], focused: str
):
    page.evaluate(LIST)
    shown: list[str] = []
    for ids in orders:
        found = page.evaluate(SHOW, [ids, focused])
        assert found["ids"] == ids
        assert found["kept"]
        if focused in ids and focused in shown:
            assert found["hadFocus"] == found["focus"] == focused
        shown = ids


def test_one_entry_that_moves_is_one_move(page: Page):
    page.evaluate(LIST)
    ids = [f"q{n}" for n in range(300)]
    page.evaluate(SHOW, [ids, ""])
    for order in ([*ids[1:], ids[0]], [ids[200], *ids[:200], *ids[201:]], [*ids[:5], *ids[6:250], ids[5], *ids[250:]]):
        page.evaluate(SHOW, [ids, ""])
        assert page.evaluate(SHOW, [order, ""])["moves"] == 1


def test_a_row_under_a_moving_mouse_stays_until_the_mouse_rests(online: Online, browser: Browser):
    clear(online)
    first, second, third = waiting(online, 3)
    names = [number(online, each) for each in (first, second, third)]
    with board(browser, online, locale="en-US") as screen:
        box = screen.row(second).bounding_box()
        assert box
        screen.page.mouse.move(box["x"] + 300, box["y"] + 10)
        screen.page.mouse.down()  # a finger that is down holds the order
        online.act(online.staff, "call_patient", patient_id=first, room="Room 4")
        expect(screen.page.locator(".line > li.left")).to_contain_text("Called")
        assert screen.line() == names
        expect(screen.next).to_contain_text(names[0])
        screen.page.mouse.up()
        expect(screen.page.locator(".line > li")).to_have_count(2)
        screen.is_next(names[1])


def test_the_focus_stays_on_its_patient_while_the_line_changes(online: Online, browser: Browser):
    clear(online)
    first, second, third = waiting(online, 3)
    with board(browser, online, locale="en-US") as screen:
        button = screen.row(third).get_by_role("button", name="Call")
        button.focus()
        for patient_id in (first, second):
            online.act(online.staff, "call_patient", patient_id=patient_id)
            expect(screen.hand).to_contain_text(patient_id)
            expect(button).to_be_focused()
        online.act(online.staff, "call_patient", patient_id=third)
        expect(screen.hand).to_contain_text(third)
        expect(screen.row(third).locator(":focus")).to_have_count(1)
