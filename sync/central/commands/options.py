"""The shared parts of the commands: the options that name the database, the way to the service, and JSON output."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click
import msgspec

from sync.central.line import OpenedHere, line_to

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def on_database(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options `url` and `keys`, which name its database and the place of the card keys."""
    keys = click.option(
        "--keys",
        metavar="F",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The file of the card keys.  [default: <database>.keys]",
    )
    return naming_database(keys(command))


def naming_database(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the option `url` alone."""
    database = click.option(
        "--database", "url", metavar="URL", required=True, help="The database: sqlite:///path/to/file.db"
    )
    return database(command)


def ask(url: str, keys: Path | None, operation: str, **arguments: object) -> Any:
    """Runs an operation in the running service, or here. Raises ControlError or StoreError."""
    with line(url, keys) as asking:
        return asking(operation, **arguments)


def line(url: str, keys: Path | None, *, create: bool = False) -> AbstractContextManager[Callable[..., Any]]:
    """The way to the running service, or to the database here, for several operations. They raise as `ask` does.

    `create` makes a database where there is none.
    """
    return line_to(url, lambda: _open_here(url, keys, create=create))


def _open_here(url: str, keys: Path | None, *, create: bool) -> OpenedHere:
    """A database that no service has open, with its operations for this process's own user."""
    # Imported here: where a service answers, a command needs nothing of this.
    from sync.central.opening import open_now
    from sync.central.operations.catalog import operations_for

    centre = open_now(url, keys, create=create)
    return OpenedHere(operations_for(centre, os.getuid()), centre.store.close)


def print_json(value: object) -> None:
    """Prints a value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
