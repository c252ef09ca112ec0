"""The health check, the clock and the backup, for an operator or a timer."""

import dataclasses
from pathlib import Path
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.maintenance.backup import back_up
from sync.central.maintenance.disk import look_at_disk
from sync.central.maintenance.health import check
from sync.central.maintenance.timekeeper import Doubt, Timekeeper, doubt_of, note_confirmed_time
from sync.central.operations import WHO
from sync.central.records.audit import note
from sync.central.records.site import NoSite, read_site
from sync.central.records.tokens import staff_tokens_ending_soon
from sync.central.store.errors import StoreError
from sync.central.store.transactions import ReadTransaction
from sync.control import ControlError, Operation


def upkeep_operations(centre: Centre) -> dict[str, Operation]:
    """The operations of upkeep, by name."""
    return {
        "check": lambda _: _check(centre),
        "clock": lambda arguments: _clock(centre, bool(arguments.get("believe"))),
        "backup": lambda arguments: _backup(centre, str(arguments["file"])),
    }


def _check(centre: Centre) -> dict[str, Any]:
    with centre.store.read() as db:
        health = check(db, centre.definitions, _today(db, centre.clock()))
        # A board without a token goes dark. There are two weeks to make another one, so all is still well.
        expiring = staff_tokens_ending_soon(db, centre.clock())
    disk, doubt = look_at_disk(centre.store), doubt_of(centre.clock)
    return {
        **msgspec.to_builtins(health),
        "ok": health.ok and disk.ok and doubt is None and centre.store.damage is None,
        "damage": centre.store.damage,
        "disk": msgspec.to_builtins(disk),
        "clock": dataclasses.asdict(doubt) if doubt else None,
        "expiring_tokens": msgspec.to_builtins(expiring),
    }


def _today(db: ReadTransaction, now_ms: int) -> str | None:
    try:
        return read_site(db).day(now_ms)
    except NoSite:
        return None


def _clock(centre: Centre, believe: bool) -> dict[str, Any]:
    """The machine's time and the time that the centre uses. With `believe` the centre uses the machine's time."""
    if believe and isinstance(centre.clock, Timekeeper):
        now_ms = centre.clock.believe()
        with centre.store.write() as db:
            note(db, WHO, "clock", now_ms)
            note_confirmed_time(db, now_ms)
    doubt = doubt_of(centre.clock) or Doubt(centre.clock(), centre.clock())
    return dataclasses.asdict(doubt)


def _backup(centre: Centre, file: str) -> dict[str, int]:
    try:
        made = back_up(centre.store, Path(file))
    except StoreError as error:
        raise ControlError(str(error)) from error
    with centre.store.write() as db:
        note(db, WHO, "backup", centre.clock(), detail={"change": made.change})
    return dataclasses.asdict(made)
