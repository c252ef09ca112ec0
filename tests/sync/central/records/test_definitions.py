"""Which definitions a centre uses, and that its database stores every version of them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from sync.central.opening import open_centre
from sync.central.records.definitions import definitions_from_file
from sync.central.store.errors import StoreError
from sync.central.web.patient_api import definitions_document
from sync.journey.definitions import Definitions, read, shipped
from tests.site_rules import with_changed


def version(number: int, **changes: object) -> Definitions:
    return read({**shipped().document, "version": number, **changes})


def other(number: int) -> Definitions:
    return read({**with_changed(shipped().document, "register", money=True), "version": number})


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'centre.db'}"


def run_by(url: str, offered: Definitions | None = None) -> int:
    """Starts and stops the service. Returns the version in force."""
    parts = open_centre(url, definitions=offered)
    parts.store.close()
    return parts.definitions.version


def kept(url: str) -> list[int]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    rows = connection.execute("select version from definitions order by version").fetchall()
    connection.close()
    return [row[0] for row in rows]


def test_a_service_stores_every_version_that_it_runs_by(url: str):
    assert [run_by(url, version(number)) for number in (1, 2, 2, 4)] == [1, 2, 2, 4]
    assert kept(url) == [1, 2, 4]


def test_definitions_come_back_from_the_database_in_their_order(url: str):
    document = {**shipped().document, "actions": shipped().document["actions"][::-1]}
    run_by(url, read(document))
    found = []
    for offered in (None, read(document)):
        parts = open_centre(url, definitions=offered)
        parts.store.close()
        found.append(parts.definitions)
    for definitions in found:
        assert list(definitions.actions) == [row["name"] for row in document["actions"]]
        assert definitions_document(definitions) == definitions_document(read(document))


def test_a_command_uses_the_definitions_in_force_and_changes_none(url: str):
    assert (run_by(url), kept(url)) == (shipped().version, [])
    run_by(url, version(7))
    assert (run_by(url), kept(url)) == (7, [7])


def test_other_definitions_of_the_same_version_are_refused(url: str):
    run_by(url, version(2))
    with pytest.raises(StoreError, match="need a higher version"):
        run_by(url, other(2))
    assert run_by(url, other(3)) == 3


def test_an_older_program_continues_with_the_newer_definitions(url: str, caplog: pytest.LogCaptureFixture):
    run_by(url, other(3))
    assert run_by(url, version(2)) == 3
    assert caplog.messages == ["definitions 3 stay in force; 2 were offered"]
    assert kept(url) == [3]


def test_definitions_that_this_version_cannot_read_are_named_in_the_error(url: str):
    run_by(url, version(2))
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    with connection:
        document = {**shipped().document, "version": 3, "initial": "NOWHERE"}
        connection.execute("insert into definitions values (3, ?, 0)", (json.dumps(document),))
    connection.close()
    with pytest.raises(StoreError, match="this version cannot read"):
        run_by(url)


@pytest.mark.parametrize("text", ["version = ", "version = 1", "version = \x00"])
def test_a_file_without_definitions_is_named_in_the_error(tmp_path: Path, text: str):
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(StoreError, match="no usable definitions"):
        definitions_from_file(file)
    with pytest.raises(StoreError, match="no usable definitions"):
        definitions_from_file(tmp_path / "missing.toml")
