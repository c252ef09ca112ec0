"""What a kiosk sets aside for a site that it leaves: a file of its own, whole, never over another one."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.store import old_site
from sync.protocol import Code, Verdict, VerdictRow
from sync.set_aside import Contents, body_of, read_lines
from tests.kiosk.parts import KioskParts
from tests.kiosk.samples import SITE_ID, Clock, cards, enrolled


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[KioskParts]:
    parts = enrolled(tmp_path, Clock())
    for number in (1, 2, 3):
        parts.journeys.tap(cards(number), ("scan_nfc",))
    yield parts
    parts.store.close()


def judge(kiosk: KioskParts, seq: int, verdict: Verdict, code: Code, backed_up_seq: int = 0) -> None:
    with kiosk.store.read() as db:
        action_id = db.execute("select action_id from outbox where seq = ?", (seq,)).fetchone()[0]
    kiosk.ledger.retire([VerdictRow(action_id=action_id, seq=seq, verdict=verdict, code=code)], backed_up_seq)


def contents(file: Path) -> Contents:
    return read_lines(file.read_bytes().splitlines(keepends=True))


def test_the_file_has_each_action_that_the_centre_does_not_hold_for_good_as_it_lies_here(
    kiosk: KioskParts, tmp_path: Path
):
    judge(kiosk, 1, Verdict.APPLIED, Code.OK, backed_up_seq=1)
    judge(kiosk, 2, Verdict.APPLIED, Code.OK)
    file = tmp_path / "old.aside"
    assert kiosk.ledger.set_aside(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = contents(file)
    assert (found.lost, found.damaged_lines) == ((), ())
    assert [(each.place, each.of, each.seq, each.site_id) for each in found.actions] == [
        (1, 2, 2, SITE_ID),
        (2, 2, 3, SITE_ID),
    ]
    assert [each.held.verdict if each.held else None for each in found.actions] == [Verdict.APPLIED, None]
    with kiosk.store.read() as db:
        rows = db.execute("select body, hash from outbox where seq > 1 order by seq").fetchall()
    assert [body_of(each) for each in found.actions] == [(row["body"], True) for row in rows]
    assert [each.hash for each in found.actions] == [row["hash"] for row in rows]


def test_an_action_that_waits_for_staff_is_kept_even_where_a_backup_holds_it(kiosk: KioskParts):
    for seq in (1, 2, 3):
        judge(kiosk, seq, Verdict.APPLIED, Code.OK, backed_up_seq=3)
    with kiosk.store.read() as db:
        assert old_site.read_kept(db) is None
    with kiosk.store.write() as db:
        db.execute("update outbox set status = 'needs_staff' where seq = 2")
        kept = old_site.read_kept(db)
    assert kept is not None
    assert (kept.number, kept.pending, kept.site_id, kept.since) == (1, 0, SITE_ID, "2026-03-02T09:00:00+09:00")


def test_a_file_is_never_replaced_and_the_same_actions_need_no_second_one(kiosk: KioskParts, tmp_path: Path):
    file = tmp_path / "old.aside"
    assert kiosk.ledger.set_aside(file)
    written = file.read_bytes()
    assert kiosk.ledger.set_aside(file), "a repeat is content with it"
    kiosk.journeys.act("P1", "register", None, {})
    with pytest.raises(FileExistsError):
        kiosk.ledger.set_aside(file)
    assert file.read_bytes() == written
    with kiosk.store.read() as db:
        beside = old_site.set_aside_somewhere(db, file)
    assert beside == tmp_path / "old.aside.more"
    assert len(contents(beside).actions) == 4
    assert sorted(path.name for path in tmp_path.glob("old*")) == ["old.aside", "old.aside.more"]


def test_where_nothing_is_kept_there_is_no_file(tmp_path: Path):
    parts = enrolled(tmp_path, Clock())
    assert not parts.ledger.set_aside(tmp_path / "old.aside")
    assert not (tmp_path / "old.aside").exists()
    parts.store.close()


def test_a_damaged_record_goes_into_the_file_as_it_lies_here(kiosk: KioskParts, tmp_path: Path):
    with kiosk.store.write() as db:
        db.execute("update outbox set body = ? where seq = 2", (b"\xff no text",))
    kiosk.ledger.set_aside(tmp_path / "old.aside")
    assert body_of(contents(tmp_path / "old.aside").actions[1]) == (b"\xff no text", False)
