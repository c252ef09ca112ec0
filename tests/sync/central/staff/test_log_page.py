"""The page of the access log in a real browser: search, chain, file, print, keys, and what axe-core finds."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from sync.central.records.audit_kinds import AuditKind
from sync.central.records.duties import Duty
from sync.central.web import staff
from tests.sync.central.log_chain import add_rows
from tests.sync.central.online import Online
from tests.sync.central.staff.axe import faults
from tests.sync.central.staff.log import administrator, log_page, morning
from tests.sync.central.staff.people import Person, person, signed_in

pytestmark = pytest.mark.browser
WORDS = Path(staff.__file__).parent / "static/log_words.js"


@pytest.fixture(scope="module")
def reader(online: Online) -> Person:
    morning(online)
    return administrator(online)


def search(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        control = page.locator(f"#{name}")
        control.select_option(value) if name == "kind" else control.fill(value)
    page.get_by_role("button", name=re.compile("^(검색|Search)$")).click()
    expect(page.locator("#found-title")).to_be_focused()


def test_each_kind_of_row_has_words():
    kinds = re.findall(r'^  "?([a-z][a-z:_-]*)"?: N_\("', WORDS.read_text("utf-8"), re.MULTILINE)
    assert sorted(kinds) == sorted(AuditKind)


def test_the_rows_of_a_patient_say_who_did_what_from_where(online: Online, browser: Browser, reader: Person):
    with log_page(browser, online, reader, locale="en-US") as page:
        search(page, patient="환자01", kind="look:history")
        expect(page.locator("#found-title")).to_have_text("환자01 (P01): 1 row")
        row = page.locator("#rows tbody tr")
        for text in ("kim", "Saw a patient's history", "환자01 (P01)", "10.1.20.31"):
            expect(row).to_contain_text(text)


def test_a_person_is_found_and_shown_by_name(online: Online, browser: Browser, reader: Person):
    with log_page(browser, online, reader) as page:
        search(page, who="관리자", kind="sign-in")
        expect(page.locator("#rows tbody tr td").first).to_have_text(f"관리자 ({reader.login})")


def test_other_patients_of_a_row_are_counted_where_one_was_asked_for(online: Online, browser: Browser, reader: Person):
    with log_page(browser, online, reader) as page:
        search(page, patient="P02", kind="look:board")
        expect(page.locator("#rows tbody tr td").nth(2)).to_have_text("환자02 (P02), 외 2명")
        assert "P03" not in page.locator("#rows table").inner_text()


def test_the_chain_is_told_and_verified_and_a_tampered_row_is_named(online: Online, browser: Browser, reader: Person):
    with log_page(browser, online, reader, locale="en-US") as page:
        expect(page.locator("#chain-state")).to_contain_text("Sealed until")
        expect(page.locator("#chain-state")).to_contain_text("all as it was sealed.")
        page.keyboard.press("v")
        expect(page.locator("#chain-found.good")).to_contain_text("is as it was sealed")
        (row,) = online.centre.rows("select audit_id from audit where kind = 'backup' limit 1")
        set_who(online, row["audit_id"], "nobody")
        page.get_by_role("button", name="Verify now").click()
        expect(page.locator("#chain-found.bad li")).to_have_text(f"Block 1: the row {row['audit_id']} was changed.")
        assert faults(page) == []
        set_who(online, row["audit_id"], "command line:root")


def test_the_page_that_looks_by_itself_keeps_no_idle_session(online: Online, browser: Browser, reader: Person):
    with log_page(browser, online, reader) as page:
        with page.expect_request("**/access-log/state/") as asked:
            page.reload()
        assert asked.value.headers["x-unattended"] == "1"


def set_who(online: Online, audit_id: str, who: str) -> None:
    with online.centre.store.write() as db:
        db.execute("update audit set who = :who where audit_id = :id", {"who": who, "id": audit_id})


def test_a_file_has_every_row_and_no_formula(online: Online, browser: Browser, reader: Person, tmp_path: Path):
    add_rows(online.centre, 620, who="staff:many")
    with log_page(browser, online, reader, accept_downloads=True) as page:
        search(page, kind="look:current_state")
        expect(page.locator("#rows tbody tr")).to_have_count(100)
        with page.expect_download() as saved:
            page.locator("#save").click()
        saved.value.save_as(tmp_path / "log.csv")
    rows = list(csv.reader((tmp_path / "log.csv").read_text("utf-8-sig").splitlines()))
    assert rows[0][:3] == ["시각", "누가", "내용"]
    assert len(rows) >= 622
    assert "'=1+1" in {row[1] for row in rows}
    assert re.fullmatch(r"access-log-\d{4}-\d\d-\d\d\.csv", saved.value.suggested_filename)


def test_a_print_answers_who_has_seen_a_patient(online: Online, browser: Browser, reader: Person):
    with log_page(browser, online, reader) as page:
        search(page, patient="P01", kind="look:history")
        page.evaluate("window.print = () => (document.body.dataset.printed = 'yes')")
        page.locator("#print").click()
        expect(page.locator("body[data-printed]")).to_be_visible()
        page.emulate_media(media="print")
        expect(page.locator("#found-printed")).to_contain_text("이 환자의 정보를 열람한 기록")
        expect(page.locator("#search")).to_be_hidden()
        expect(page.locator("#top")).to_be_hidden()
    kinds = {row["kind"] for row in online.centre.rows("select distinct kind from audit")}
    assert "look:access-log-export" in kinds


def test_older_rows_follow_by_a_key(online: Online, browser: Browser, reader: Person):
    add_rows(online.centre, 150, who="staff:older")
    with log_page(browser, online, reader) as page:
        search(page, who="staff:older")
        expect(page.locator("#rows tbody tr")).to_have_count(100)
        page.keyboard.press("o")
        expect(page.locator("#rows tbody tr")).to_have_count(150)
        expect(page.locator("#older")).to_be_hidden()


def test_a_name_goes_into_no_address_and_no_storage(online: Online, browser: Browser, reader: Person):
    with log_page(browser, online, reader) as page:
        addresses: list[str] = []
        page.on("request", lambda request: addresses.append(request.url))
        search(page, patient="환자01")
        assert addresses
        assert not [each for each in addresses if "%ED%99%98" in each or "환자" in each]
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_without_the_centre_the_rows_stay_and_it_says_so(online: Online, browser: Browser, reader: Person):
    with log_page(browser, online, reader, locale="en-US") as page:
        before = page.locator("#rows tbody tr").count()
        page.context.set_offline(True)
        page.locator("#who").fill("kim")
        page.get_by_role("button", name="Search").click()
        expect(page.locator("#toasts")).to_contain_text("The centre does not answer.")
        assert page.locator("#rows tbody tr").count() == before


def test_it_is_not_for_the_ward(online: Online, browser: Browser):
    nurse = person(online, Duty.EXAM_ROOM, Duty.RECEPTION)
    with signed_in(browser, online, nurse, "/staff/log") as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("이 화면을 볼 권한이 없습니다")


@pytest.mark.parametrize("locale", ["ko-KR", "en-US"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(online: Online, browser: Browser, reader: Person, locale: str, scheme: Any):
    with log_page(browser, online, reader, locale=locale, color_scheme=scheme) as page:
        assert faults(page) == []
        page.locator("#rows summary").first.click()
        assert faults(page) == []


@pytest.mark.parametrize("width", [640, 683, 1366, 1920])
@pytest.mark.parametrize("locale", ["ko-KR", "en-US"])
def test_no_width_cuts_anything_off(online: Online, browser: Browser, reader: Person, width: int, locale: str):
    with log_page(browser, online, reader, locale=locale, viewport={"width": width, "height": 768}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(
            "document.getElementById('rows').scrollWidth <= document.getElementById('rows').clientWidth"
        )
