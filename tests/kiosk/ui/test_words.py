"""The screen's words: all go through gettext, and every language has all of them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog as PoCatalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

from hardware.card import RefusedReason
from kiosk import ui
from kiosk.config import DisplaySection
from kiosk.ui.app import TRANSLATIONS, create_app
from kiosk.ui.server import PageServer
from sync import words
from sync.words.catalogs import read_catalogs
from tests.kiosk.ui.admitted import ADMISSION
from tests.kiosk.ui.browser import Kiosk
from tests.kiosk.ui.scenes import ALL
from tests.kiosk.ui.staged import StagedCounter

SHARED, UI = Path(words.__file__).parent, Path(ui.__file__).parent
LANGUAGES = sorted(path.parent.parent.name for path in TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"))
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2), "plural": (1, 2)}
PLACEHOLDER = re.compile(r"\{\w+\}")

Message = str | tuple[str, ...]


def marked(home: Path) -> set[Message]:
    """Returns every text that the sources of a home of words mark for translation, as pybabel finds them."""
    methods, options = parse_mapping_cfg((home / "babel.cfg").open(encoding="utf-8"))
    found = extract_from_dir(home, methods, options, keywords=KEYWORDS)
    return {tuple(message) if isinstance(message, (list, tuple)) else message for _, _, message, _, _ in found}


def extracted(home: Path | None = None) -> set[Message]:
    """Returns the texts of a home; of both without one. A text that both mark belongs to the shared words."""
    shared, own = marked(SHARED), marked(UI)
    return {SHARED: shared, UI: own - shared, None: shared | own}[home]


def parsed(home: Path, language: str) -> PoCatalog:
    with (home / "translations" / language / "LC_MESSAGES/messages.po").open("rb") as file:
        return read_po(file, abort_invalid=True)


def test_every_reason_of_a_refused_card_has_words_of_its_own():
    table = (UI / "static" / "screens" / "states.js").read_text("utf-8")
    rows = table.split("export const REFUSALS = {")[1].split("\n};")[0]
    assert set(re.findall(r"^  (\w+): \{$", rows, re.MULTILINE)) >= set(RefusedReason)


def test_korean_and_english_are_spoken():
    assert {"ko", "en"} <= set(LANGUAGES)


def test_both_homes_of_words_speak_the_same_languages():
    assert {path.parent.parent.name for path in SHARED.glob("translations/*/LC_MESSAGES/messages.po")} == set(LANGUAGES)


@pytest.mark.parametrize("home", [SHARED, UI], ids=["shared", "screen"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_nothing_else_is(language: str, home: Path):
    catalog = parsed(home, language)
    messages = {message.id: message for message in catalog if message.id}
    assert set(messages) == extracted(home)
    assert not catalog.obsolete
    for message in messages.values():
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(forms), message.id
        assert not message.fuzzy, message.id
        assert not message.context, message.id
        assert len(forms) == (catalog.num_plurals if message.pluralizable else 1), message.id


@pytest.mark.parametrize("home", [SHARED, UI], ids=["shared", "screen"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_holds_the_same_places_for_values(language: str, home: Path):
    for message in parsed(home, language):
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        for form in forms if message.id else ():
            assert sorted(PLACEHOLDER.findall(form)) == sorted(PLACEHOLDER.findall(ids[-1])), message.id


def test_catalogs_are_read_as_they_are(tmp_path: Path):
    write(tmp_path, "zh_Hans", {"Home": "主页", "Back": "", ("{n} person", "{n} people"): ("{n} 人",)})
    (read,) = read_catalogs(tmp_path)
    assert read.tag == "zh-Hans"
    assert read.messages == {"Home": "主页", "{n} person": ["{n} 人"]}


def test_a_text_that_a_translator_doubts_is_shown_in_english(tmp_path: Path):
    path = write(tmp_path, "ko", {"Home": "집", "Back": "이전"})
    path.write_text(path.read_text("utf-8").replace('msgid "Home"', '#, fuzzy\nmsgid "Home"'), "utf-8")
    assert read_catalogs(tmp_path)[0].messages == {"Back": "이전"}


def test_a_half_translated_plural_is_shown_in_english(tmp_path: Path):
    write(tmp_path, "en", {("{n} person", "{n} people"): ("{n} person", "")})
    assert read_catalogs(tmp_path)[0].messages == {}


def test_the_catalogs_of_a_language_in_two_homes_are_one(tmp_path: Path):
    write(tmp_path / "one", "ko", {"Home": "집"})
    write(tmp_path / "other", "ko", {"Back": "이전"})
    (read,) = read_catalogs(tmp_path / "one", tmp_path / "other")
    assert (read.tag, read.messages) == ("ko", {"Home": "집", "Back": "이전"})


def test_a_folder_without_catalogs_is_an_error(tmp_path: Path):
    with pytest.raises(ValueError, match="no catalog"):
        read_catalogs(tmp_path)


def test_a_broken_catalog_is_an_error(tmp_path: Path):
    path = write(tmp_path, "ko", {"Home": "처음"})
    path.write_bytes(path.read_bytes() + b'\nmsgid "broken\n')
    with pytest.raises(ValueError, match="broken"):
        read_catalogs(tmp_path)


# An invented language shows which words do not go through gettext.


@pytest.fixture
def nobodys(tmp_path: Path, browser) -> Iterator[tuple[Kiosk, StagedCounter]]:
    bracketed: dict[Message, Message] = {}
    for message in extracted():
        bracketed[message] = f"⟦{message}⟧" if isinstance(message, str) else tuple(f"⟦{form}⟧" for form in message)
    write(tmp_path, "en", bracketed)
    counter = StagedCounter(demo=True)
    counter.languages = ("en",)
    server = PageServer(
        create_app(counter, DisplaySection(), ADMISSION, [tmp_path], dead_s=0), ADMISSION, "127.0.0.1", 0
    )
    server.start()
    kiosk = Kiosk(browser, server.url).open()
    yield kiosk, counter
    kiosk.close()
    server.stop()


# Data, which the page does not translate: of the hospital, of the patient, times, numbers.
DATA = re.compile(
    "|".join(
        (
            r"\d+:\d\d [AP]M",
            "흉부 영상 검사|혈액 검사|Chest imaging",
            r"2층 영상의학과 205호|1층 채혈실|3번 검사실|2F Radiology 205",
            "본관 1층 입구|1층 로비 접수 창구",
            r"홍\*동|남궁\*\*|J\*\*\* S\*\*\*\*",
            r"홍길동 \(예약 2건\)|남궁민수|Jane Smith",
            r"B-\d+",
            r"\d+%?",
        )
    )
)
SPOKEN = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [document.title];
  while (texts.nextNode()) {
    if (!texts.currentNode.parentElement.closest("script, noscript")) found.push(texts.currentNode.textContent);
  }
  for (const element of document.querySelectorAll("[aria-label], [title], [alt], [placeholder]")) {
    for (const name of ["aria-label", "title", "alt", "placeholder"]) found.push(element.getAttribute(name) ?? "");
  }
  return found;
}"""


@pytest.mark.browser
@pytest.mark.xdist_group("browser-words")
def test_no_word_on_any_screen_goes_past_gettext(nobodys: tuple[Kiosk, StagedCounter]):
    kiosk, counter = nobodys
    kiosk.press("zoom")
    kiosk.press("zoom")
    for name, scene in ALL.items():
        counter.new_day()
        kiosk.await_frame(scene(counter).frame)
        spoken = kiosk.page.evaluate(SPOKEN)
        assert any("⟦" in text for text in spoken)
        for text in spoken:
            # Values are inside the brackets of the text that holds them.
            assert not re.search(r"\w", DATA.sub("", without_marked(text))), (name, text)


def without_marked(text: str) -> str:
    """Returns a text without all that is in brackets, the inner brackets first.

    A headline with a name is three texts: the first opens a bracket and the last closes it.
    """
    if text.count("⟦") != text.count("⟧"):
        text = f"{text}⟧" if "⟦" in text else f"⟦{text}"
    while (less := re.sub("⟦[^⟦⟧]*⟧", "", text)) != text:
        text = less
    return text


@pytest.mark.browser
@pytest.mark.xdist_group("browser-words")
def test_the_shell_of_the_page_speaks_the_language_before_any_script_runs(tmp_path: Path, browser):
    write(tmp_path, "en", {"One moment, please": "⟦moment⟧", "Check-in kiosk": "⟦kiosk⟧"})
    server = PageServer(create_app(StagedCounter(), DisplaySection(), ADMISSION, [tmp_path]), ADMISSION, "127.0.0.1", 0)
    server.start()
    kiosk = Kiosk(browser, server.url, java_script_enabled=False)
    kiosk.page.goto(ADMISSION.one_time_url(server.url))
    assert kiosk.page.title() == "⟦kiosk⟧"
    assert kiosk.headline == "⟦moment⟧"
    assert "This screen cannot be used now" in kiosk.content.inner_text()
    kiosk.close()
    server.stop()


def write(folder: Path, language: str, texts: dict) -> Path:
    """Writes a catalog file of these texts."""
    catalog = PoCatalog(locale=language)
    for message, text in texts.items():
        catalog.add(message, text)
    path = folder / language / "LC_MESSAGES/messages.po"
    path.parent.mkdir(parents=True)
    written = io.BytesIO()
    write_po(written, catalog)
    path.write_bytes(written.getvalue())
    return path
