"""The chain of the access log after a restore and after a move: valid, and a head of the lost part tells of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.central.commands.main import main
from sync.central.maintenance.log_keys import read_log_keys
from sync.central.maintenance.log_sealing import seal_log
from sync.central.maintenance.restore_file import restore_file
from tests.sync.central.centre import Centre
from tests.sync.central.databases import Cluster, Database
from tests.sync.central.log_chain import add_block, found


def test_a_restored_log_goes_on_and_a_head_of_the_lost_part_tells_of_the_restore(tmp_path: Path):
    centre = Centre(tmp_path)
    kept = add_block(centre)
    centre.do("backup", file=str(tmp_path / "backup.db"))
    lost = add_block(centre)
    centre.store.close()
    restore_file(tmp_path / "centre.db", tmp_path / "backup.db")
    centre.open()
    (row,) = centre.rows("select who, detail from audit where kind = 'restored'")
    assert (row["who"], '"block":1' in row["detail"]) == ("centre", True)
    assert found(centre, {kept.block: kept.digest}) == []
    assert found(centre, {lost.block: lost.digest}) == ["the chain ends before block 2, which was noted elsewhere"]
    seal_log(centre.parts, at_once=True)
    assert found(centre) == []
    assert found(centre, {lost.block: lost.digest}) == ["block 2 is not the one that was noted elsewhere"]
    centre.store.close()


def test_a_move_takes_the_chain_and_its_keys_along(tmp_path: Path, cluster: Cluster):
    centre = Centre(tmp_path)
    block = add_block(centre)
    keys = read_log_keys(centre.store.place.state)
    centre.store.close()
    state = tmp_path / "server"
    with cluster.database() as url:
        with pytest.raises(SystemExit) as ended:
            main(["move", "--from", centre.url, "--to", url, "--state-dir", str(state)])
        assert not ended.value.code
        moved = Centre(tmp_path, filled=False, database=Database(url, state))
        assert read_log_keys(moved.store.place.state) == keys
        assert found(moved, {block.block: block.digest}) == []
        add_block(moved)
        assert found(moved, {block.block: block.digest}) == []
        moved.store.close()
