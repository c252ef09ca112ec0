"""What becomes of documents that came over HTTP, as the database has it."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest

from sync.central.intake.imports import AT_ONCE, Imports, show_import
from sync.central.intake.order import Order
from sync.central.records.document_imports import KEPT_MS, add_import, delete_old_imports, note_seen
from sync.central.services.errors import ApiError
from sync.central.services.told import Told
from sync.ids import new_id
from tests.sync.central.centre import Centre


def begun(centre: Centre) -> str:
    import_id = new_id()
    with centre.store.write() as db:
        add_import(db, import_id, "integration:Engine", centre.clock())
    return import_id


def shown(centre: Centre, import_id: str) -> Any:
    found = show_import(centre.parts, import_id)
    return msgspec.to_builtins(found.value) if isinstance(found, Told) else found.code


def test_a_document_is_being_taken_while_its_worker_is_alive_and_failed_a_minute_later(centre: Centre):
    import_id = begun(centre)
    centre.clock.now_ms += 50_000
    with centre.store.write() as db:
        note_seen(db, import_id, centre.clock())
    centre.clock.now_ms += 59_000
    assert shown(centre, import_id)["state"] == "taking"
    centre.clock.now_ms += 1_000
    found = shown(centre, import_id)
    assert (found["state"], found["outcome"]) == ("done", "failed")
    assert "send the document again" in found["error"]


def test_what_became_of_a_document_is_kept_for_a_month(centre: Centre):
    import_id = begun(centre)
    for passed, state in ((KEPT_MS, "kept"), (1, "gone")):
        centre.clock.now_ms += passed
        with centre.store.write() as db:
            delete_old_imports(db, centre.clock())
        assert (shown(centre, import_id) == "not_found") == (state == "gone")


class Cut(io.RawIOBase):
    """A body whose client leaves."""

    def read(self, _: int = -1) -> bytes:
        raise ConnectionAbortedError


def test_a_document_that_is_cut_gives_its_place_back(centre: Centre):
    imports, order = Imports(centre.parts), Order(socket="", name="", by="")
    for _ in range(AT_ONCE + 1):
        with pytest.raises(ConnectionAbortedError):
            imports.receive(Cut(), order)


class Nested(io.RawIOBase):
    """A body during which another document is sent, until one is refused. Then their clients leave."""

    def __init__(self, imports: Imports, refused: list[ApiError]) -> None:
        super().__init__()
        self._imports, self._refused = imports, refused

    def read(self, _: int = -1) -> bytes:
        found = self._imports.receive(Nested(self._imports, self._refused), Order(socket="", name="", by=""))
        assert isinstance(found, ApiError)
        self._refused.append(found)
        raise ConnectionAbortedError


def test_one_document_more_than_there_are_places_is_asked_to_come_later(centre: Centre):
    refused: list[ApiError] = []
    with pytest.raises(ConnectionAbortedError):
        Nested(Imports(centre.parts), refused).read()
    assert [each.code for each in refused] == ["busy"]
