"""The row of the kiosk itself: its identity, its pull cursor, and the definitions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.store import patients
from kiosk.store.identity import read_definitions, read_generation, read_identity, write_enrolment, write_page
from kiosk.store.sqlite import Store
from sync.clock import ClockReading
from tests.kiosk import samples
from tests.kiosk.samples import GRANTS, SITE, cards, enrolment, page

CLOCK = ClockReading(0, 0, "boot-1", synchronised=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = samples.enrolled(tmp_path, samples.Clock()).store
    yield opened
    opened.close()


def test_before_enrolment_there_is_no_identity_and_no_definitions(tmp_path: Path):
    opened = Store(tmp_path / "kiosk.db")
    with opened.read() as db:
        assert read_identity(db) is None
        assert read_definitions(db) is None
        assert patients.read(db, "P1") is None
        assert patients.read_holder(db, cards(1)) is None
    opened.close()


def test_an_identity_is_what_the_centre_said(store: Store):
    with store.read() as db:
        identity = read_identity(db)
        assert read_definitions(db) is not None
    assert identity is not None
    assert (identity.kiosk_id, identity.name, identity.ticket_prefix, identity.epoch) == (
        "kiosk-1",
        "본관 입구",
        "B",
        1,
    )
    assert (identity.actions, identity.site, identity.definitions_version) == (frozenset(GRANTS), SITE, 1)
    assert (identity.cursor, identity.as_of_ms, identity.server_incarnation) == (1, samples.at("09:00"), "one")


def test_there_is_one_identity_at_most(store: Store):
    with store.write() as db:
        write_enrolment(db, enrolment(kiosk_id="kiosk-2"))
        assert db.execute("select count(*) from identity").fetchone()[0] == 1
    with pytest.raises(sqlite3.IntegrityError), store.write() as db:
        db.execute(
            "insert into identity select 2, site_id, kiosk_id, token_sha256, name, ticket_prefix, actions, epoch,"
            " next_seq, last_hash, backed_up_seq, server_incarnation, cursor, cursor_mac, generation, as_of_ms, site,"
            " definitions_version, definitions, ended_ms, as_of_clock from identity"
        )


def test_a_page_moves_cursor_and_grants_and_the_roster_is_as_of_its_last_page(store: Store):
    with store.write() as db:
        later = samples.at("10:00")
        first = page(cursor=7, more=True, now_ms=later, actions=("scan_nfc",), server_incarnation="two")
        for pulled, generation in ((first, 4), (page(cursor=8, now_ms=later), 5)):
            before = read_identity(db)
            assert before is not None
            after = before.after_page(pulled, generation, CLOCK)
            write_page(db, after, pulled.definitions)
            assert read_identity(db) == after
            assert (after.cursor, after.generation) == (pulled.cursor, generation)
            assert (after.actions, after.server_incarnation) == (frozenset(pulled.actions), pulled.server_incarnation)
            assert after.as_of_ms == (samples.at("09:00") if pulled.more else later)


def test_an_enrolment_begins_another_generation_of_the_roster(store: Store):
    with store.write() as db:
        before = read_generation(db)
        write_enrolment(db, enrolment())
        assert read_generation(db) == before + 1
