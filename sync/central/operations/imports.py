"""A hospital's document, for an operator: a portion of rows, a complete day, the end of it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.imports.portion import PortionRow, take_rows
from sync.central.imports.take_complete_day import take_complete_day
from sync.central.operations import WHO
from sync.central.records.audit import note
from sync.control import ControlError, Operation


def import_operations(centre: Centre) -> dict[str, Operation]:
    """The operations that take a document, by name."""
    return {
        "import-rows": lambda arguments: _rows(centre, arguments),
        "import-day": lambda arguments: _day(centre, arguments),
        "import-done": lambda arguments: _done(centre, arguments),
    }


def _rows(centre: Centre, arguments: Mapping[str, Any]) -> Any:
    try:
        rows = msgspec.convert(arguments.get("rows"), list[PortionRow])
    except msgspec.ValidationError as error:
        raise ControlError(f"no rows of a document: {error}") from error
    return msgspec.to_builtins(take_rows(centre, rows, check=bool(arguments.get("check"))))


def _day(centre: Centre, arguments: Mapping[str, Any]) -> Any:
    named, force, check = arguments["named"], bool(arguments.get("force")), bool(arguments.get("check"))
    return msgspec.to_builtins(take_complete_day(centre, str(arguments["day"]), named, force=force, check=check))


def _done(centre: Centre, counts: Mapping[str, Any]) -> bool:
    now_ms = centre.clock()
    with centre.store.write() as db:
        note(db, WHO, "import", now_ms, detail=counts)
    return True
