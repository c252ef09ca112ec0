"""The commands of upkeep: `check`, `clock`, `backup` and `restore`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from sync.central.commands.kiosks import backlog_in_words
from sync.central.commands.options import Database, as_json_option, ask, naming_database, on_database, print_json
from sync.central.maintenance.restore_report import RestoreReport
from sync.central.store.errors import IN_WORDS, Trouble
from sync.central.store.place import Place
from sync.clock import iso
from sync.database_file import LOW_BYTES

_UNWELL = 1
_STRAY = {
    "other_exam": "queue entry {queue_id} is in the line of another exam",
    "other_day": "it is of another day, and queue entry {queue_id} is live",
    "called_off": "it is cancelled, and queue entry {queue_id} is live",
    "no_entry": "the patient waits or is seen by its status, and has no live queue entry",
}


@click.command()
@on_database
@as_json_option
@click.pass_context
def check(context: click.Context, database: Database, as_json: bool) -> None:
    """Check journeys, queue, history, disk, clock and the kiosks' waiting actions. Exits with 1 where one is not well.

    \b
    Examples:
      kiosk-central check --database sqlite:///central.db
    """
    health = ask(database, "check")
    if as_json:
        print_json(health)
    else:
        click.echo(_in_words(health))
    if not health["ok"]:
        context.exit(_UNWELL)


@click.command()
@on_database
@click.option("--believe", is_flag=True, help="The machine's clock is right: use it, even after a jump.")
@as_json_option
def clock(database: Database, believe: bool, as_json: bool) -> None:
    """Show the time that the running service uses, and whether it doubts the machine's clock.

    \b
    Examples:
      kiosk-central clock --database sqlite:///central.db
      kiosk-central clock --database sqlite:///central.db --believe
    """
    found = ask(database, "clock", believe=believe)
    if as_json:
        print_json(found)
    else:
        click.echo(_clock_in_words(found["machine_ms"], found["taken_ms"]))


@click.command()
@on_database
@click.argument("file", type=click.Path(path_type=Path))
def backup(database: Database, file: Path) -> None:
    """Write the database into FILE while the service runs, and verify it. Keep the key file elsewhere.

    \b
    Examples:
      kiosk-central backup --database sqlite:///central.db /srv/backup/central.db
    """
    made = ask(database, "backup", file=str(file.absolute()))
    click.echo(f"{file}: {made['size']} bytes, up to change {made['change']}, {made['chains']} chains of kiosks")


@click.command("restore")
@naming_database
@click.argument("file", type=click.Path(path_type=Path))
def restore_(database: Database, file: Path) -> None:
    """Put FILE, a backup, in the database's place while the service is stopped. The old one is kept beside it.

    \b
    Examples:
      kiosk-central restore --database sqlite:///central.db /srv/backup/central.db
    """
    place = database.place
    report = _restored(place, file)
    click.echo(f"{place} is now {file}, up to change {report.change}")
    if report.kept:
        click.echo(f"the old database is kept as {report.kept}")
    click.echo("start the service: it detects the restore, and kiosks send the actions that the copy lacks")


def _restored(place: Place, file: Path) -> RestoreReport:
    """Restores. What it loads is the database, which the other commands need not."""
    if place.file is not None:
        from sync.central.maintenance.restore_file import restore_file

        return restore_file(place.file, file)
    from sync.central.maintenance.restore_dump import restore_dump

    return restore_dump(place, file)


COMMANDS: tuple[click.Command, ...] = (check, clock, backup, restore_)


def _clock_in_words(machine_ms: int, taken_ms: int) -> str:
    if machine_ms == taken_ms:
        return f"it is {iso(taken_ms, 'UTC')}"
    return f"the clock is in doubt: it says {iso(machine_ms, 'UTC')}, and the centre uses {iso(taken_ms, 'UTC')}"


def _disk_in_words(trouble: str | None, free_bytes: int | None, is_low: bool) -> list[str]:
    lines = [f"{IN_WORDS[Trouble(trouble)]}: nothing is saved"] if trouble else []
    if is_low and free_bytes is not None:
        lines.append(f"the disk has {free_bytes // 2**20} MiB left: make room, at least {LOW_BYTES // 2**20} MiB")
    return lines


def _certificate_in_words(ends_ms: int, ends_soon: bool, fault: str) -> Iterator[str]:
    if fault:
        yield f"the new certificate cannot be used, and the one before stays in use: {fault}"
    if ends_soon:
        yield f"the certificate in use ends {iso(ends_ms, 'UTC')}: renew it"


def _in_words(health: dict[str, Any]) -> str:
    parts = (_machine_in_words, _journeys_in_words, _kiosks_in_words, _tokens_in_words, _counts_in_words)
    headline = "all is well" if health["ok"] else "NOT WELL"
    return "\n".join([headline, *(line for part in parts for line in part(health))])


def _machine_in_words(health: dict[str, Any]) -> Iterator[str]:
    if health["clock"]:
        yield _clock_in_words(**health["clock"])
    if health["damage"]:
        yield f"{health['damage']}. The next start refuses it: restore a backup"
    yield from _disk_in_words(**health["disk"])
    if (log := health["access_log"]) and log["faults"]:
        yield (
            f"the access log is not as it was sealed, {log['faults']} faults: {log['first_fault']}."
            " kiosk-central access-log verify lists them"
        )
    if certificate := health["certificate"]:
        yield from _certificate_in_words(**certificate)


def _journeys_in_words(health: dict[str, Any]) -> Iterator[str]:
    if health["withheld"]:
        yield f"{health['withheld']} findings name patients: they are shown once the database takes writes"
    for what in ("inconsistent", "orphans"):
        for found in health[what]:
            yield (
                f"{what}: patient {found['patient_id']} is {found['journey_state']} on {found['site_day']},"
                f" the entry is {found['entry_state']}"
            )
    for found in health["illegal_transitions"]:
        yield "illegal: {from_state} -{action}-> {to_state} ({trigger_type}), {rows} rows".format(**found)
    for found in health["stray_bookings"]:
        words = _STRAY[found["fault"]].format(**found)
        yield f"booking {found['appointment_id']} of patient {found['patient_id']}: {words}"


def _kiosks_in_words(health: dict[str, Any]) -> Iterator[str]:
    for found in health["stuck_kiosks"]:
        yield f"kiosk {found['kiosk_id']} pulls, but its actions do not arrive: {backlog_in_words(found)}"
    for found in health["unanswered_kiosks"]:
        yield (
            f"kiosk {found['kiosk_id']} calls, but gets no answer to its pulls since {iso(found['since_ms'], 'UTC')},"
            f" last call {iso(found['seen_ms'], 'UTC')}: let the network pass POST /api/v1/sync/pull and its answers"
        )
    for found in health["kiosks_with_other_card_keys"]:
        yield (
            f"kiosk {found['kiosk_id']} has the card key {found['key_id']}, which the key file lacks: it is an older"
            " one. Put the newest key file back"
        )

    for found in health["copied_kiosks"]:
        yield (
            f"kiosk {found['kiosk_id']}: a replaced token was used {iso(found['used_ms'], 'UTC')}: somebody has a copy"
            f" of its disk, or it was set back: kiosks revoke {found['kiosk_id']}, enrol it again, settle the case"
        )


def _tokens_in_words(health: dict[str, Any]) -> Iterator[str]:
    for found in health["expiring_tokens"]:
        end = iso(found["expires_ms"], "UTC")
        yield f"the staff token {found['name']} ({found['token_id']}) expires {end}: make another one"


def _counts_in_words(health: dict[str, Any]) -> Iterator[str]:
    yield f"{health['patients']} patients, {health['waiting_for_staff']} cases of all days waiting for staff"
    if health["unended"]:
        yield f"{health['unended']} patients of earlier days whose day is not ended yet: the service ends it"
    if health["day"]:
        yield f"on {health['day']}: {health['live_entries']} live entries"
    for what in ("journey_states", "queue_states"):
        yield from (f"  {state}: {count}" for state, count in health[what].items() if count)
