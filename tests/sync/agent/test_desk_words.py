"""Words about cards for the desk before a real centre: said in order, and said again after an answer was lost."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from sync.agent.client import Accepted, CentralClient
from sync.agent.desk_words import DeskWords
from sync.central.desk.next_card import ASK_MS
from sync.central.records.desk_cards import DeskCard, add_desk_card
from sync.ids import new_id
from sync.protocol import DeskWord, EnrolRequest
from tests.kiosk.real_centre import RealCentre
from tests.kiosk.samples import cards

WAIT_S = 60.0


class Kiosk:
    """An enrolled kiosk that says words."""

    def __init__(self, directory: Path) -> None:
        self.there = RealCentre(directory)
        made = CentralClient(self.there.between.url).enrol(EnrolRequest(code=self.there.code()))
        assert isinstance(made, Accepted)
        self.enrolment = made.answer
        self.answers: queue.Queue[tuple[DeskWord, str, bool | None]] = queue.Queue()
        self.words = self.start()

    def start(self, *, is_reader: bool = False) -> DeskWords:
        ledger = SimpleNamespace(identity=self.enrolment)  # its site and its id are all that a word needs
        words = DeskWords(ledger, self._connect, lambda *each: self.answers.put(each), is_reader=is_reader)
        words.start()
        return words

    def _connect(self) -> CentralClient:
        return CentralClient(self.there.between.url, self.enrolment.token)

    def awaited(self) -> str:
        """A card that the desk awaits at this kiosk."""
        ask_id, now_ms = new_id(), self.there.centre.parts.clock()
        asked = DeskCard(ask_id, self.enrolment.kiosk_id, "staff:kim", now_ms, now_ms + ASK_MS)
        with self.there.centre.store.write() as db:
            add_desk_card(db, asked)
        return ask_id

    def answer(self) -> tuple[DeskWord, str, bool | None]:
        return self.answers.get(timeout=WAIT_S)

    def rows(self) -> list[dict[str, object]]:
        return self.there.rows("select uid_hash <> '' as is_read, shown_ms is not null as is_shown from desk_cards")

    def close(self) -> None:
        self.words.stop()
        self.there.close()


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    made = Kiosk(tmp_path)
    yield made
    made.close()


def test_words_are_said_in_their_order(kiosk: Kiosk):
    ask_id = kiosk.awaited()
    kiosk.words.say(DeskWord.SHOWN, ask_id, None, False, "")
    kiosk.words.say(DeskWord.REFUSED, ask_id, None, False, "phone")
    kiosk.words.say(DeskWord.CARD, ask_id, cards(1)[0], False, "")
    said = [kiosk.answer() for _ in range(3)]
    assert said == [(each, ask_id, True) for each in (DeskWord.SHOWN, DeskWord.REFUSED, DeskWord.CARD)]
    assert [{name: bool(value) for name, value in row.items()} for row in kiosk.rows()] == [
        {"is_read": True, "is_shown": True}
    ]


def test_a_card_whose_answer_was_lost_is_said_again_and_counts_once(kiosk: Kiosk):
    ask_id = kiosk.awaited()
    kiosk.there.lose(2, lambda request: request.path.endswith("/sync/card"))
    kiosk.words.say(DeskWord.CARD, ask_id, cards(1)[0], False, "")
    assert kiosk.answer() == (DeskWord.CARD, ask_id, True)
    assert len(kiosk.rows()) == 1


def test_a_card_for_no_wait_does_not_count(kiosk: Kiosk):
    kiosk.words.say(DeskWord.CARD, new_id(), cards(1)[0], False, "")
    assert kiosk.answer()[2] is False


def test_a_reader_of_the_desk_says_that_it_is_one_before_its_first_card(kiosk: Kiosk):
    reader = kiosk.start(is_reader=True)
    assert kiosk.answer() == (DeskWord.READER, "", True)
    reader.say(DeskWord.CARD, new_id(), cards(1)[0], False, "")
    assert kiosk.answer()[2] is True
    reader.stop()


def test_more_words_than_a_hand_makes_are_not_kept(kiosk: Kiosk):
    kiosk.words.stop()
    assert not kiosk.words.say(DeskWord.SHOWN, new_id(), None, False, "")
