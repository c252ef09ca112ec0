"""A hospital's document, for an operator: a portion of rows, a complete day, the end of it; the turn at a folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.imports.parts import Kind
from sync.central.imports.portion import PortionRow, take_rows
from sync.central.imports.take_complete_day import take_complete_day
from sync.central.maintenance.derived_days import derive_days
from sync.central.operations import TellingOperation
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.site import NoSite
from sync.central.records.watched_folders import end_turn, take_turn
from sync.central.services.requester import Requester
from sync.central.services.told import AboutNobody, Telling, told_of
from sync.control import ControlError


@dataclass(frozen=True, slots=True)
class CompletedDay:
    """The number of bookings of a day that were cancelled, and why none was; "" where they were."""

    cancelled: int
    refused: str


def import_operations(centre: Centre, operator: Requester) -> dict[str, TellingOperation]:
    """The operations that take a document, by name."""
    return {
        "import-rows": lambda arguments: _rows(centre, arguments),
        "import-day": lambda arguments: _day(centre, operator, arguments),
        "import-done": lambda arguments: _done(centre, operator, arguments),
        "watch-turn": lambda arguments: _turn(centre, arguments),
    }


def _rows(centre: Centre, arguments: Mapping[str, Any]) -> Telling:
    try:
        rows = msgspec.convert(arguments.get("rows"), list[PortionRow])
    except msgspec.ValidationError as error:
        raise ControlError(f"no rows of a document: {error}") from error
    answers = take_rows(centre, rows, check=bool(arguments.get("check")))
    if any(row.kind is Kind.SITE for row in rows):
        derive_days(centre)  # the row may have corrected the clock of the site
    holders = [holder for answer in answers for holder in answer.holders]
    return told_of(answers, AuditKind.LOOK_IMPORT, holders)


def _day(centre: Centre, operator: Requester, arguments: Mapping[str, Any]) -> Telling:
    """Cancels the bookings of `day` that are not in `named`. `refused` says why none was cancelled, else it is ""."""
    day, force, check = str(arguments["day"]), bool(arguments.get("force")), bool(arguments.get("check"))
    try:
        number, refused = take_complete_day(centre, day, arguments["named"], force=force, check=check)
    except NoSite as error:
        raise ControlError(str(error)) from error
    if number and not check:
        with centre.store.write() as db:
            note(db, operator.who, AuditKind.IMPORT_DAY, centre.clock(), detail={"day": day, "bookings": number})
    return AboutNobody(CompletedDay(number, refused))


def _turn(centre: Centre, arguments: Mapping[str, Any]) -> Telling:
    """Whether a process may work on a watched folder for the next minute. With `ends` it gives the folder back."""
    folder_id, holder = str(arguments["folder_id"]), str(arguments["holder"])
    with centre.store.write() as db:
        if arguments.get("ends"):
            end_turn(db, folder_id, holder)
            return AboutNobody(False)
        return AboutNobody(take_turn(db, folder_id, holder, centre.clock()))


def _done(centre: Centre, operator: Requester, counts: Mapping[str, Any]) -> Telling:
    now_ms = centre.clock()
    with centre.store.write() as db:
        note(db, operator.who, AuditKind.IMPORT, now_ms, detail=counts)
    return AboutNobody(True)
