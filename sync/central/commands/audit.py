"""The commands for the access log: `access-log show`, `export`, `verify` and `head`."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from sync.central.commands.options import Database, as_json_option, ask, line, on_database, print_json
from sync.central.commands.progress import progress_bar
from sync.central.services.lists import MAX_ROWS
from sync.control import ControlError

_MOST_SHOWN = 10  # patients of a row
_MOST_FAULTS = 1000  # that are listed
_UNWELL = 1
_HEAD = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})")

F = TypeVar("F", bound=Callable[..., Any])


@click.group("access-log")
def access_log() -> None:
    """The access log: who was told of which patients, who was refused, and what was done besides journeys.

    \b
    Examples:
      kiosk-central access-log show --database sqlite:///central.db --patient D-1001
      kiosk-central access-log verify --database sqlite:///central.db
    """


def _searching(command: F) -> F:
    """Gives a command the options of a search."""
    for option in reversed(
        (
            click.option("--patient", metavar="ID", help="Only rows about this patient, under any id of theirs."),
            click.option("--who", metavar="TEXT", help="Only rows of bearers whose name holds this text."),
            click.option("--kind", metavar="TEXT", help="Only rows whose kind begins so: look, told, refused, ..."),
            click.option("--since", metavar="TIME", help="Only rows from then on: 2026-12-01, or 2026-12-01T09:30."),
            click.option("--until", metavar="TIME", help="Only rows up to then; a date means its end."),
        )
    ):
        command = option(command)
    return command


@access_log.command()
@on_database
@_searching
@click.option("--before", metavar="ROW", help="Only rows older than this one.")
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_ROWS),
    default=MAX_ROWS,
    show_default=True,
    help="List at most this number of rows.",
)
@as_json_option
def show(database: Database, as_json: bool, **search: str | int | None) -> None:
    """List the newest rows, oldest first. To read it leaves a row too.

    \b
    Examples:
      kiosk-central access-log show --database sqlite:///central.db --patient D-1001
      kiosk-central access-log show --database sqlite:///central.db --kind refused --since 2026-12-01
    """
    found = ask(database, "access-log", **search)
    if as_json:
        print_json(found)
        return
    for row in found["rows"]:
        click.echo(_line(row))
    if found["before"]:
        click.echo(f"older rows follow: --before {found['before']}", err=True)


@access_log.command()
@on_database
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--as",
    "form",
    type=click.Choice(["csv", "chain"]),
    default="csv",
    show_default=True,
    help="csv: rows for a spreadsheet, newest pages first; chain: every block with its rows, for an auditor's program.",
)
@_searching
def export(database: Database, file: Path, form: str, **search: str | None) -> None:
    """Write rows into FILE, a new file that only its owner may read. It leaves rows that name its patients.

    \b
    Examples:
      kiosk-central access-log export --database sqlite:///central.db --since 2026-12-01 december.csv
      kiosk-central access-log export --database sqlite:///central.db --as chain chain.jsonl
    """
    from sync.durable import write_new_secret

    if form == "chain" and any(search.values()):
        raise click.UsageError("a chain is exported whole: give no search with --as chain")
    with line(database) as asking:
        parts = _chain(asking) if form == "chain" else _csv(asking, search)
        try:
            write_new_secret(file, parts)
        except FileExistsError as error:
            raise ControlError(f"{file}: is there already") from error


@access_log.command()
@on_database
@click.option(
    "--head",
    "heads",
    metavar="HEAD",
    multiple=True,
    help="A head that was kept elsewhere, as `access-log head` prints it, or @FILE with one a line; repeatable.",
)
@as_json_option
@click.pass_context
def verify(context: click.Context, database: Database, heads: tuple[str, ...], as_json: bool) -> None:
    """Verify every block and every row of the chain. Exits with 1 where anything is not as it was sealed.

    \b
    Examples:
      kiosk-central access-log verify --database sqlite:///central.db
      kiosk-central access-log verify --database sqlite:///central.db --head @/mnt/audit/heads.txt
    """
    noted = dict(_head(text) for given in heads for text in _texts(given))
    with line(database) as asking:
        total = asking("access-log-head")
        with progress_bar(total["rows"], "verifying") as advance:
            result = _verified(asking, noted, advance)
    result |= {"open_rows": total["open_rows"], "ok": not result["number"]}
    if as_json:
        print_json(result)
    else:
        _tell(result)
    if result["number"]:
        context.exit(_UNWELL)


@access_log.command()
@on_database
@as_json_option
def head(database: Database, as_json: bool) -> None:
    """Print the end of the chain, to keep it where nobody who can change the database reaches it.

    \b
    Examples:
      kiosk-central access-log head --database sqlite:///central.db
    """
    found = ask(database, "access-log-head")
    if as_json:
        print_json(found)
    elif found["block"]:
        click.echo(f"{found['block']}:{found['digest']}  sealed {found['sealed_at']}")
    else:
        raise ControlError("no block is sealed yet")


COMMANDS: tuple[click.Command, ...] = (access_log,)


def _verified(asking: Callable[..., Any], heads: Mapping[str, str], advance: Callable[[int], None]) -> dict[str, Any]:
    place: dict[str, Any] = {}
    faults: list[dict[str, Any]] = []
    words: list[str] = []
    number = 0
    while True:
        portion = asking("access-log-verify", place=place or None, heads=dict(heads))
        advance(portion["place"]["rows"] - place.get("rows", 0))
        place, room = portion["place"], _MOST_FAULTS - len(faults)
        number += len(portion["faults"])
        faults += portion["faults"][:room]
        words += portion["words"][:room]
        if portion["ended"]:
            return {
                "first": place["first"],
                "last": place["block"],
                "blocks": place["blocks"],
                "rows": place["rows"],
                "digest": place["digest"],
                "number": number,
                "faults": faults,
                "words": words,
            }


def _tell(result: Mapping[str, Any]) -> None:
    for words in result["words"]:
        click.echo(words)
    if result["number"] > len(result["words"]):
        click.echo(f"and {result['number'] - len(result['words'])} faults more")
    of_blocks = f"blocks {result['first']} to {result['last']}" if result["blocks"] else "no block"
    verdict = f"{result['number']} FAULTS" if result["number"] else "all as it was sealed"
    click.echo(f"{of_blocks}, {result['rows']} rows: {verdict}")
    if result["open_rows"]:
        click.echo(f"{result['open_rows']} rows are not sealed yet, and were not verified")


def _texts(given: str) -> Iterator[str]:
    """The heads of an option: itself, or the lines of a file."""
    if not given.startswith("@"):
        yield given
        return
    try:
        lines = Path(given[1:]).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ControlError(f"{given[1:]}: no file of heads: {error}") from error
    yield from (text for text in lines if text.strip())


def _head(text: str) -> tuple[str, str]:
    found = _HEAD.fullmatch(text.split()[0]) if text.strip() else None
    if found is None:
        raise ControlError(f"{text[:64]} is no head such as 17:0123…, with 64 hex digits")
    return found[1], found[2]


def _csv(asking: Callable[..., Any], search: Mapping[str, str | None]) -> Iterator[bytes]:
    from sync.central.services.log_csv import csv_header, csv_lines

    yield csv_header().encode()
    before: str | None = None
    while True:
        page = asking("access-log", **search, before=before, export=True)
        yield csv_lines(reversed(page["rows"])).encode()
        before = page["before"]
        if before is None:
            return


def _chain(asking: Callable[..., Any]) -> Iterator[bytes]:
    after: int | None = 0
    while after is not None:
        part = asking("access-log-chain", after=after)
        yield b"".join(msgspec.json.encode(block) + b"\n" for block in part["blocks"])
        after = part["after"]


def _line(row: Mapping[str, Any]) -> str:
    named = row["patients"]
    more = [f"and {len(named) - _MOST_SHOWN} more"] if len(named) > _MOST_SHOWN else []
    detail = [f"{name}={_in_words(value)}" for name, value in row["detail"].items() if value is not None]
    words = [row["at"], f"{row['kind']:<21}", row["who"], " ".join([*named[:_MOST_SHOWN], *more]) or "-", *detail]
    return "  ".join(words)


def _in_words(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
