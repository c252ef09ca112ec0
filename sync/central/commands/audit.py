"""The command for the audit: `access-log`."""

from collections.abc import Mapping
from typing import Any

import click

from sync.central.commands.options import Database, as_json_option, ask, on_database, print_json
from sync.central.services.lists import MAX_ROWS

_MOST_SHOWN = 10  # patients of a row


@click.command("access-log")
@on_database
@click.option("--patient", "patient_id", metavar="ID", help="Only rows about this patient, under any id of theirs.")
@click.option("--who", metavar="TEXT", help="Only rows of bearers whose name holds this text.")
@click.option("--kind", metavar="TEXT", help="Only rows whose kind begins so, such as look, told or refused.")
@click.option("--since", metavar="TIME", help="Only rows from then on: 2026-12-01, or 2026-12-01T09:30.")
@click.option("--before", metavar="ROW", help="Only rows older than this one.")
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_ROWS),
    default=MAX_ROWS,
    show_default=True,
    help="List at most this number of rows.",
)
@as_json_option
def access_log(database: Database, as_json: bool, **search: str | int | None) -> None:
    """List the audit, oldest first: who was told of which patients, who was refused, and what operators did.

    To read it leaves a row too.

    \b
    Examples:
      kiosk-central access-log --database sqlite:///central.db --patient D-1001
      kiosk-central access-log --database sqlite:///central.db --kind refused --since 2026-12-01
    """
    found = ask(database, "access-log", **search)
    if as_json:
        print_json(found)
        return
    for row in found["rows"]:
        click.echo(_line(row))
    if found["before"]:
        click.echo(f"older rows follow: --before {found['before']}", err=True)


COMMANDS: tuple[click.Command, ...] = (access_log,)


def _line(row: Mapping[str, Any]) -> str:
    named = row["patients"]
    more = [f"and {len(named) - _MOST_SHOWN} more"] if len(named) > _MOST_SHOWN else []
    detail = [f"{name}={_in_words(value)}" for name, value in row["detail"].items() if value is not None]
    words = [row["at"], f"{row['kind']:<21}", row["who"], " ".join([*named[:_MOST_SHOWN], *more]) or "-", *detail]
    return "  ".join(words)


def _in_words(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
