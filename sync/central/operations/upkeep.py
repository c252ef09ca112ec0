"""The health check, the clock and the backup, for an operator or a timer."""

import dataclasses
from pathlib import Path

import msgspec

from sync.central.centre import Centre
from sync.central.maintenance.backup import back_up
from sync.central.maintenance.disk import look_at_disk
from sync.central.maintenance.health import BookingFinding, Finding, check
from sync.central.maintenance.incarnation import host_id
from sync.central.maintenance.timekeeper import Doubt, Timekeeper, doubt_of, note_confirmed_time
from sync.central.operations import TellingOperation
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.card_keys import keys_of_kiosks
from sync.central.records.log_check import read_log_check
from sync.central.records.site import today_or_none
from sync.central.records.tokens import tokens_ending_soon
from sync.central.services.requester import Requester
from sync.central.services.told import AboutNobody, Telling, told_of
from sync.central.store.errors import StoreError
from sync.control import ControlError


def upkeep_operations(centre: Centre, operator: Requester) -> dict[str, TellingOperation]:
    """The operations of upkeep, by name."""
    return {
        "check": lambda _: _check(centre),
        "clock": lambda arguments: _clock(centre, operator, bool(arguments.get("believe"))),
        "backup": lambda arguments: _backup(centre, operator, str(arguments["file"])),
    }


def _check(centre: Centre) -> Telling:
    """The health of the centre. Where a look cannot be recorded, the findings that name patients are `withheld`."""
    with centre.store.read() as db:
        health = check(db, centre.definitions, today_or_none(db, centre.clock()))
        # A board or a feed without a token goes dark. There are two weeks to make another one, so all is still well.
        expiring = tokens_ending_soon(db, centre.clock())
        log = read_log_check(db)
        ahead = [each for each in keys_of_kiosks(db) if each.key_id and each.key_id not in centre.keys.known.ids]
    disk, doubt = look_at_disk(centre.store), doubt_of(centre.clock)
    findings: tuple[Finding | BookingFinding, ...] = (*health.inconsistent, *health.orphans, *health.stray_bookings)
    named = [each.patient_id for each in findings]
    withheld = len(named) if disk.trouble else 0
    if withheld:
        health = msgspec.structs.replace(health, inconsistent=[], orphans=[], stray_bookings=[])
    certificate = centre.certificate.state() if centre.certificate else None
    is_served_well = certificate is None or certificate.is_well
    shown = {
        **msgspec.to_builtins(health),
        "withheld": withheld,
        "ok": health.ok
        and disk.ok
        and doubt is None
        and centre.store.damage is None
        and is_served_well
        and not ahead
        and not (log and log.faults),
        "damage": centre.store.damage,
        "access_log": msgspec.to_builtins(log),
        "disk": msgspec.to_builtins(disk),
        "clock": dataclasses.asdict(doubt) if doubt else None,
        "certificate": dataclasses.asdict(certificate) if certificate else None,
        "kiosks_with_other_card_keys": msgspec.to_builtins(ahead),
        "expiring_tokens": msgspec.to_builtins(expiring),
    }
    return told_of(shown, AuditKind.LOOK_CHECK, [] if withheld else named)


def _clock(centre: Centre, operator: Requester, believe: bool) -> Telling:
    """The machine's time and the time that the centre uses. With `believe` the centre uses the machine's time."""
    if believe and isinstance(centre.clock, Timekeeper):
        now_ms = centre.clock.believe()
        with centre.store.write() as db:
            note(db, operator.who, AuditKind.CLOCK, now_ms)
            note_confirmed_time(db, now_ms)
            db.announce_time(host_id(centre.store.place.state))
    doubt, now_ms = doubt_of(centre.clock), centre.clock()
    # Without a doubt both are one reading: a second one may be a millisecond later.
    return AboutNobody(dataclasses.asdict(doubt or Doubt(now_ms, now_ms)))


def _backup(centre: Centre, operator: Requester, file: str) -> Telling:
    try:
        made = back_up(centre.store, Path(file))
    except StoreError as error:
        raise ControlError(str(error)) from error
    with centre.store.write() as db:
        note(db, operator.who, AuditKind.BACKUP, centre.clock(), detail={"change": made.change})
    return AboutNobody(dataclasses.asdict(made))
