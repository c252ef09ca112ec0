"""The command `kiosk-central`.

Exit codes: 0 done; 1 the check found something; 2 it could not be done, and one line on standard error says why.
"""

import logging
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import click
import msgspec

from sync.central.commands.inbox import exceptions
from sync.central.commands.kiosks import COMMANDS
from sync.central.commands.options import ask, naming_database, on_database
from sync.central.maintenance.restore import restore
from sync.central.opening import open_service
from sync.central.records.audit import KEPT_DAYS
from sync.central.records.definitions import definitions_from_file
from sync.central.store.errors import StoreError
from sync.central.store.sqlite import database_path
from sync.clock import iso
from sync.control import ControlError
from sync.journey.definitions import shipped

_UNWELL, _FAILED = 1, 2


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs a command and ends the process with its exit code."""
    try:
        _demand_text(sys.argv[1:] if arguments is None else arguments)
        code = cli.main(args=arguments, prog_name="kiosk-central", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = _FAILED
    except click.Abort:
        code = _FAILED
    except sqlite3.Error as error:
        click.echo(f"kiosk-central: the database: {error}", err=True)
        code = _FAILED
    except (StoreError, ControlError, OSError) as error:
        click.echo(f"kiosk-central: {error}", err=True)
        code = _FAILED
    sys.exit(code)


def _demand_text(arguments: Sequence[str]) -> None:
    """Bytes that are no UTF-8 come as half characters, which neither a database nor the wire can hold."""
    try:
        "".join(arguments).encode()
    except UnicodeEncodeError as error:
        raise click.UsageError("an argument is not UTF-8") from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """The central service of the NFC check-in kiosks."""


@cli.command()
@on_database
@click.option("--listen", "address", metavar="HOST:PORT", default="127.0.0.1:8000", show_default=True)
@click.option(
    "--definitions",
    "rules",
    metavar="F",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The journey's rules, in TOML; those that come with the program if not given.",
)
@click.option(
    "--audit-days",
    metavar="DAYS",
    type=click.IntRange(min=1),
    default=KEPT_DAYS,
    show_default=True,
    help="How long it is kept who looked at whom.",
)
def run(url: str, keys: Path | None, address: str, rules: Path | None, audit_days: int) -> None:
    """Serve until told to stop (SIGTERM or Ctrl-C)."""
    # Here and not above: the other commands are many and short, and need no web server.
    from sync.central.server import listen, serve
    from sync.central.worker import Worker

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    definitions = definitions_from_file(rules) if rules else shipped()
    # Opened and closed once before the fork: what is wrong with it is said here, in one line.
    open_service(url, keys, definitions).store.close()
    listener = listen(address)
    host, port = listener.getsockname()[:2]
    click.echo(f"kiosk-central listens on http://{f'[{host}]' if ':' in host else host}:{port}")
    serve(listener, lambda: Worker(url, keys, definitions, audit_days))


@cli.command("demo-data")
@on_database
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def demo_data(url: str, keys: Path | None, as_json: bool) -> None:
    """Make the demo hospital, or complete it for today, and list its patients with their cards."""
    patients = ask(url, keys, "demo-data")
    if as_json:
        click.echo(_json(patients))
        return
    for patient in patients:
        click.echo(f"{patient['patient_id']}  {patient['uid']}  {patient['masked_name']}  booked: {patient['booked']}")


@cli.command("import")
@on_database
@click.argument("file", type=click.File("rb"))
def import_(url: str, keys: Path | None, file: BinaryIO) -> None:
    """Take a hospital document in JSON: site, exams, patients, cards, appointments."""
    try:
        document = msgspec.json.decode(file.read())
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise click.ClickException(f"{file.name} is not JSON that can be read: {error}") from error
    counts = ask(url, keys, "import", document=document)
    click.echo("new or changed: " + ", ".join(f"{count} {what}" for what, count in counts.items()))


@cli.command()
@on_database
@click.option("--role", type=click.Choice(["patient", "staff"]), required=True)
@click.option("--patient", "patient_id", metavar="ID", help="Whose token it is, for the role patient.")
def token(url: str, keys: Path | None, role: str, patient_id: str | None) -> None:
    """Make a bearer token and print it; it is not shown again."""
    click.echo(ask(url, keys, "token", role=role, patient_id=patient_id))


@cli.command("token-revoke")
@on_database
@click.argument("text", metavar="[TOKEN]", default="-")
def token_revoke(url: str, keys: Path | None, text: str) -> None:
    """End a token and close its sockets. Without an argument it is read from standard input."""
    ask(url, keys, "token-revoke", token=sys.stdin.readline().strip() if text == "-" else text)


@cli.command()
@on_database
@click.option("--name", help="What the hospital is called.")
@click.option("--timezone", metavar="ZONE", help="IANA time zone, like Asia/Seoul.")
@click.option("--day-starts-at", metavar="HH:MM", help="When a day of the site begins, local time.")
@click.option("--desk", metavar="EXAM", help="The exam id of the desk for patients without a booking.")
@click.option("--ticket-prefix", metavar="LETTERS", help="Of the queue numbers that the centre itself gives.")
@click.option("--language", "languages", multiple=True, metavar="LANG", help="In order of preference; repeatable.")
@click.option("--json", "as_json", is_flag=True)
def site(url: str, keys: Path | None, as_json: bool, languages: tuple[str, ...], **wanted: str | None) -> None:
    """Show the site, or set what is given of it."""
    shown = ask(url, keys, "site", languages=list(languages) or None, **wanted)
    if as_json:
        click.echo(_json(shown))
        return
    for field, value in shown.items():
        click.echo(f"{field}: {', '.join(value) if isinstance(value, list) else value}")


@cli.command()
@on_database
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def check(context: click.Context, url: str, keys: Path | None, as_json: bool) -> None:
    """Check that journeys and queue say the same. Exits with 1 where they do not."""
    if not database_path(url).exists():
        # Made here, it would be empty and well: a path mistyped in a timer would never alarm anybody.
        raise StoreError(f"{database_path(url)}: there is no such database")
    health = ask(url, keys, "check")
    click.echo(_json(health) if as_json else _in_words(health))
    if not health["ok"]:
        context.exit(_UNWELL)


@cli.command()
@on_database
@click.option("--believe", is_flag=True, help="The machine's clock is right: go by it, however it has jumped.")
@click.option("--json", "as_json", is_flag=True)
def clock(url: str, keys: Path | None, believe: bool, as_json: bool) -> None:
    """Show what the running service takes for the time, and whether it doubts the machine's clock."""
    found = ask(url, keys, "clock", believe=believe)
    click.echo(_json(found) if as_json else _clock_in_words(found["machine_ms"], found["taken_ms"]))


@cli.command()
@on_database
@click.argument("file", type=click.Path(path_type=Path))
def backup(url: str, keys: Path | None, file: Path) -> None:
    """Write the database into FILE while the service runs, and verify it. The key file is to be kept elsewhere."""
    made = ask(url, keys, "backup", file=str(file.absolute()))
    click.echo(f"{file}: {made['size']} bytes, up to change {made['change']}, {made['chains']} chains of kiosks")


@cli.command("restore")
@naming_database
@click.argument("file", type=click.Path(path_type=Path))
def restore_(url: str, file: Path) -> None:
    """Put FILE, a backup, in the database's place while the service is stopped. What was there is kept beside it."""
    database = database_path(url)
    done = restore(database, file)
    click.echo(f"{database} is now {file}, up to change {done.change}")
    if done.kept:
        click.echo(f"what was there is kept as {done.kept}")
    click.echo("start the service: it will see that it was restored, and kiosks send again what the copy does not hold")


for _command in (*COMMANDS, exceptions):
    cli.add_command(_command)


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _clock_in_words(machine_ms: int, taken_ms: int) -> str:
    if machine_ms == taken_ms:
        return f"it is {iso(taken_ms, 'UTC')}"
    return f"the clock is in doubt: it says {iso(machine_ms, 'UTC')}, and {iso(taken_ms, 'UTC')} is taken for the time"


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
    lines.append(
        f"{health['patients']} patients, {health['live_entries']} live entries,"
        f" {health['waiting_for_staff']} cases waiting for staff"
    )
    for what in ("journey_states", "queue_states"):
        lines += [f"  {state}: {count}" for state, count in health[what].items() if count]
    return "\n".join(lines)
