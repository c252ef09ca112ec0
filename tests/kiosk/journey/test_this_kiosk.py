"""The kiosk in memory: the committed identity and rules, or the shipped rules where the stored ones are unreadable."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.store.sqlite import Store
from sync.journey.definitions import shipped
from tests.kiosk import samples
from tests.kiosk.journey.small_kiosk import SmallKiosk, new_rules
from tests.kiosk.parts import KioskParts
from tests.sync.central.wire import Centre, Kiosk, Time

USELESS = ["", "{", "[]", "null", '{"version": 1}', "[" * 5000, json.dumps(dict(shipped().document) | {"initial": "?"})]


def ruin(store: Store, text: str) -> None:
    """Writes definitions as another version of the program, or a damaged sector, may leave them."""
    with store.write() as db:
        db.execute("update identity set definitions = ?", (text,))


def notes(store: Store) -> list[str]:
    with store.read() as db:
        return [row[0] for row in db.execute("select detail from audit where kind = 'definitions'")]


def test_what_the_kiosk_remembers_of_itself_is_what_was_committed(kiosk: SmallKiosk):
    """A commit that fails must not leave new grants or rules in memory."""
    with kiosk.store.read() as db:
        db.execute("create temp trigger refuse before update on identity begin select raise(abort, 'no'); end")
    before = kiosk.journeys.identity
    with pytest.raises(sqlite3.IntegrityError):
        kiosk.pull(actions=(), definitions=new_rules())
    assert (kiosk.journeys.identity, kiosk.journeys.definitions.version) == (before, 1)


@pytest.mark.parametrize("text", USELESS, ids=range(len(USELESS)))
def test_a_kiosk_with_unreadable_definitions_starts_and_serves(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
):
    parts = samples.enrolled(tmp_path, samples.Clock())
    store = parts.store
    assert parts.journeys.tap(samples.cards(1), ("scan_nfc",))
    assert notes(store) == []
    ruin(store, text)
    store.close()
    store = Store(tmp_path / "kiosk.db")
    with caplog.at_level(logging.ERROR):
        parts = KioskParts(store, samples.Clock())
    kiosk, journeys, ledger = parts.kiosk, parts.journeys, parts.ledger
    assert "definitions cannot be read" in caplog.text
    assert len(notes(store)) == 1
    assert (kiosk.definitions, parts.pending()) == (shipped(), 1)
    assert kiosk.identity is not None
    assert (kiosk.identity.kiosk_id, kiosk.identity.definitions_version) == ("kiosk-1", 0)
    status = journeys.patient_status("P1")
    assert status is not None
    assert (status.journey.state, status.pending) == ("ARRIVED", 1)
    assert journeys.act("P1", "register", None, {}).refusal is None
    ledger.adopt(samples.page(from_cursor=1, cursor=1))
    assert kiosk.identity.definitions_version == 0, "a page without definitions does not change that"
    ledger.adopt(samples.page(from_cursor=1, cursor=1, definitions=dict(shipped().document)))
    assert kiosk.identity.definitions_version == shipped().version
    assert (parts.pending(), len(notes(store))) == (2, 1)
    store.close()
    store = Store(tmp_path / "kiosk.db")
    assert KioskParts(store, samples.Clock()).kiosk.identity == kiosk.identity
    assert len(notes(store)) == 1
    store.close()


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre.db", Time())
    yield made
    made.store.close()


def test_the_centre_sends_them_with_the_next_pull_and_what_was_pending_is_judged(tmp_path: Path, centre: Centre):
    kiosk: Any = Kiosk(tmp_path / "kiosk.db", centre, "A")
    kiosk.pull()
    kiosk.tap("P1")
    ruin(kiosk.store, "{")
    kiosk.store.close()
    kiosk = Kiosk(tmp_path / "kiosk.db", centre, "A")
    kiosk.check_in("P2")
    kiosk.pull()
    assert kiosk.journeys.identity.definitions_version == centre.definitions.version
    with kiosk.store.read() as db:
        stored = json.loads(db.execute("select definitions from identity").fetchone()[0])
    assert stored == json.loads(json.dumps(dict(centre.definitions.document)))
    kiosk.push()
    assert [status for _, status, _ in kiosk.statuses()] == ["applied"] * 4
    kiosk.store.close()
