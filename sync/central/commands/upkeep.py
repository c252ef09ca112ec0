"""The commands of upkeep: `check`, `clock`, `backup` and `restore`."""

from pathlib import Path
from typing import Any

import click

from sync.central.commands.kiosks import backlog_in_words
from sync.central.commands.options import as_json_option, ask, naming_database, on_database, print_json
from sync.central.maintenance.restore import restore
from sync.central.store.errors import StoreError
from sync.central.store.sqlite import database_path
from sync.clock import iso

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
def check(context: click.Context, url: str, keys: Path | None, as_json: bool) -> None:
    """Check journeys, queue, history, clock and the kiosks' waiting actions. Exits with 1 where one is not in order.

    \b
    Examples:
      kiosk-central check --database sqlite:///central.db
    """
    if not database_path(url).exists():
        # An empty database made here would pass the check, so a timer with a mistyped path would never raise an alarm.
        raise StoreError(f"{database_path(url)}: there is no such database")
    health = ask(url, keys, "check")
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
def clock(url: str, keys: Path | None, believe: bool, as_json: bool) -> None:
    """Show the time that the running service uses, and whether it doubts the machine's clock.

    \b
    Examples:
      kiosk-central clock --database sqlite:///central.db
      kiosk-central clock --database sqlite:///central.db --believe
    """
    found = ask(url, keys, "clock", believe=believe)
    if as_json:
        print_json(found)
    else:
        click.echo(_clock_in_words(found["machine_ms"], found["taken_ms"]))


@click.command()
@on_database
@click.argument("file", type=click.Path(path_type=Path))
def backup(url: str, keys: Path | None, file: Path) -> None:
    """Write the database into FILE while the service runs, and verify it. Keep the key file elsewhere.

    \b
    Examples:
      kiosk-central backup --database sqlite:///central.db /srv/backup/central.db
    """
    made = ask(url, keys, "backup", file=str(file.absolute()))
    click.echo(f"{file}: {made['size']} bytes, up to change {made['change']}, {made['chains']} chains of kiosks")


@click.command("restore")
@naming_database
@click.argument("file", type=click.Path(path_type=Path))
def restore_(url: str, file: Path) -> None:
    """Put FILE, a backup, in the database's place while the service is stopped. The old files are kept beside it.

    \b
    Examples:
      kiosk-central restore --database sqlite:///central.db /srv/backup/central.db
    """
    database = database_path(url)
    report = restore(database, file)
    click.echo(f"{database} is now {file}, up to change {report.change}")
    if report.kept:
        click.echo(f"the old database is kept as {report.kept}")
    click.echo("start the service: it detects the restore, and kiosks send the actions that the copy lacks")


COMMANDS: tuple[click.Command, ...] = (check, clock, backup, restore_)


def _clock_in_words(machine_ms: int, taken_ms: int) -> str:
    if machine_ms == taken_ms:
        return f"it is {iso(taken_ms, 'UTC')}"
    return f"the clock is in doubt: it says {iso(machine_ms, 'UTC')}, and the centre uses {iso(taken_ms, 'UTC')}"


def _in_words(health: dict[str, Any]) -> str:
    lines = ["all is well" if health["ok"] else "NOT WELL"]
    if health["clock"]:
        lines.append(_clock_in_words(**health["clock"]))
    for what in ("inconsistent", "orphans"):
        lines += [
            f"{what}: patient {found['patient_id']} is {found['journey_state']}, the entry is {found['entry_state']}"
            for found in health[what]
        ]
    for found in health["illegal_transitions"]:
        lines.append("illegal: {from_state} -{action}-> {to_state} ({trigger_type}), {rows} rows".format(**found))
    for found in health["stray_bookings"]:
        words = _STRAY[found["fault"]].format(**found)
        lines.append(f"booking {found['appointment_id']} of patient {found['patient_id']}: {words}")
    for found in health["stuck_kiosks"]:
        lines.append(f"kiosk {found['kiosk_id']} pulls, but its actions do not arrive: {backlog_in_words(found)}")
    for found in health["unanswered_kiosks"]:
        lines.append(
            f"kiosk {found['kiosk_id']} calls, but gets no answer to its pulls since {iso(found['since_ms'], 'UTC')},"
            f" last call {iso(found['seen_ms'], 'UTC')}: let the network pass POST /api/v1/sync/pull and its answers"
        )
    lines.append(
        f"{health['patients']} patients, {health['live_entries']} live entries,"
        f" {health['waiting_for_staff']} cases waiting for staff"
    )
    for what in ("journey_states", "queue_states"):
        lines += [f"  {state}: {count}" for state, count in health[what].items() if count]
    return "\n".join(lines)
