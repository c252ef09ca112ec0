"""Where a database is, and where the centre keeps its files of state."""

from pathlib import Path

import pytest

from sync.central.store.errors import StoreError
from sync.central.store.place import database_path, place_of


@pytest.mark.parametrize("url", ["", "centre.db", "mysql://host/db", "sqlite://centre.db", "sqlite:///", "x" * 999])
def test_an_invalid_url_is_refused_with_an_example(url):
    with pytest.raises(StoreError, match=r"sqlite:///path/to/file\.db"):
        database_path(url)


def test_a_url_names_a_relative_or_an_absolute_path():
    assert str(database_path("sqlite:///a/b%20c.db")) == "a/b c.db"
    assert str(database_path("sqlite:////a/b.db")) == "/a/b.db"


def test_the_files_of_state_lie_beside_the_file_or_in_the_directory_of_state():
    assert place_of("sqlite:////a/b.db").state == Path("/a/b.db")
    assert place_of("sqlite:////a/b.db", Path("/state")).state == Path("/state/b.db")
    assert place_of("postgresql://host/hospital", Path("/state")).state == Path("/state/central")


def test_postgresql_needs_a_directory_of_state():
    with pytest.raises(StoreError, match="--state-dir"):
        place_of("postgresql://host/hospital")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@host/hospital",
        "postgresql://user:se@secret@host/hospital",
        "postgresql://user:se/secret@host/hospital",
        "postgresql://host/hospital?password=secret",
        "postgresql:///hospital?host=/run&password=secret@host",
    ],
)
def test_no_message_shows_a_password(url: str):
    place = place_of(url, Path("/state"))
    assert "secret" not in f"{place} {place!r}"
    with pytest.raises(StoreError) as refused:
        database_path(url.replace("postgresql", "mysql"))
    assert "secret" not in str(refused.value)
