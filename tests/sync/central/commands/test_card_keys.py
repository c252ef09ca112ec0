"""The command `card-keys`, in this process: words, progress, and no secret."""

import json
import threading
from pathlib import Path

import pytest

from sync.cards import read_keys
from sync.central.maintenance.card_rotation import begin_rotation, walk_portion
from sync.central.maintenance.housekeeping import Housekeeping
from sync.central.opening import keys_path, open_centre
from sync.central.operations.catalog import operations
from sync.control import ControlError
from tests.sync.central.commands.test_main import Shell


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    made = Shell(tmp_path, capsys)
    made("demo-data")
    return made


def test_the_keys_are_listed_without_their_secrets(shell: Shell):
    keys = read_keys(keys_path(shell.path))
    said = shell("card-keys")
    assert said.startswith(f"{keys.newest}  since ")
    assert "9 cards stored" in said
    assert said.endswith(f"0 of 0 kiosks have {keys.newest}\n")
    assert keys.keys[0].secret not in said
    assert keys.keys[0].secret not in shell("card-keys", "--json")


def test_a_rotation_tells_its_progress_and_its_end(shell: Shell):
    (first,) = read_keys(keys_path(shell.path)).ids
    said = shell("card-keys", "rotate")
    keys = read_keys(keys_path(shell.path))
    assert keys.ids[0] == first
    assert len(keys.ids) == 2
    assert "each card gets its hash under the new key: 9 cards under" in shell.error
    assert [line.split("  ")[0] for line in said.splitlines()[:2]] == list(keys.ids)
    assert "0 cards stored" in said.splitlines()[0]
    assert "9 cards stored" in said.splitlines()[1]
    assert not any(key.secret in said + shell.error for key in keys.keys)
    again = json.loads(shell("card-keys", "rotate", "--json"))
    assert shell.error == ""
    assert ([key["stored"] for key in again["keys"]], again["step"]) == ([0, 0, 9], "done")


def test_a_rotation_that_was_interrupted_is_told_and_goes_on_with_the_same_command(shell: Shell):
    centre = open_centre(shell.url)
    newest = begin_rotation(centre, "operator")
    walk_portion(centre, at_once=1)
    centre.store.close()
    said = shell("card-keys")
    assert "a rotation is under way; it goes on by itself while the service runs" in said
    shell("card-keys", "rotate")
    assert read_keys(keys_path(shell.path)).newest == newest
    assert "under way" not in shell("card-keys")


def test_the_service_goes_on_with_a_rotation_by_itself(shell: Shell):
    centre = open_centre(shell.url)
    begin_rotation(centre, "operator")
    housekeeping = Housekeeping(centre)
    housekeeping.start()
    try:
        while operations(centre)["card-keys"]({})["step"] != "done":  # the test's own time limit ends a wait in vain
            threading.Event().wait(0.01)
    finally:
        housekeeping.stop()
        centre.store.close()


def test_a_key_file_that_cannot_be_written_changes_nothing(shell: Shell):
    centre = open_centre(shell.url)
    before = centre.keys.known
    keys_path(shell.path).with_name("centre.db.keys.new").mkdir()  # where the new file is prepared
    with pytest.raises(ControlError, match="the key file cannot be written"):
        operations(centre)["card-keys-begin"]({})
    assert centre.keys.known == before == read_keys(keys_path(shell.path))
    assert operations(centre)["card-keys"]({})["step"] == "done"
    centre.store.close()


def test_kiosks_without_the_key_and_ahead_of_it_are_named(shell: Shell):
    centre = open_centre(shell.url)
    with centre.store.write() as db:
        for kiosk_id, key_id in (("hall", None), ("ward", "k9"), ("door", centre.keys.known.newest)):
            db.execute(
                "insert into kiosks values (:id, :id, :id, '[]', 1, 1, null, null, null, null, null)", {"id": kiosk_id}
            )
            if key_id:
                db.execute("insert into kiosk_card_keys values (:id, :key)", {"id": kiosk_id, "key": key_id})
    centre.store.close()
    said = shell("card-keys").splitlines()
    assert said[1].startswith("1 of 3 kiosks have ")
    assert said[2:] == ["not yet: hall", "with a key that this centre does not have: ward"]
    assert "kiosk ward has the card key k9, which the key file lacks" in shell("check", code=1)
