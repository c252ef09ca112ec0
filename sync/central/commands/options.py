"""The shared parts of the commands: the options that name the database, the way to the service, and JSON output."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import click
import msgspec

from sync.central.line import OpenedHere, line_to
from sync.central.store.place import Place, place_of
from sync.control import socket_path

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@dataclass(frozen=True, slots=True)
class Database:
    """The database that an operator has named, with the places of what is beside it. None: the usual place."""

    url: str = field(repr=False)  # it may hold a password
    state_dir: Path | None = None
    keys: Path | None = None
    direct: str | None = field(default=None, repr=False)

    @property
    def place(self) -> Place:
        """Where it is. Raises StoreError."""
        return place_of(self.url, self.state_dir, self.direct)


def on_database(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options that name its database and the place of the card keys, as one `database`."""
    keys = click.option(
        "--keys",
        metavar="F",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The file of the card keys.  [default: <database>.keys]",
    )
    return naming_database(keys(command))


def naming_database(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options that name its database alone, as one `database`."""

    @click.option(
        "--database",
        "url",
        metavar="URL",
        required=True,
        help="The database: sqlite:///path/to/file.db or postgresql://host/name",
    )
    @click.option(
        "--state-dir",
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        help="The directory of key file, marker and control socket. PostgreSQL needs it.  [default: beside the file]",
    )
    @click.option(
        "--direct-database",
        "direct",
        metavar="URL",
        help="The same database past a pooler that --database leads through, such as pgbouncer.",
    )
    @wraps(command)
    def with_database(
        *arguments: Any, url: str, state_dir: Path | None, direct: str | None, keys: Path | None = None, **options: Any
    ) -> Any:
        return command(*arguments, database=Database(url, state_dir, keys, direct), **options)

    return with_database


def ask(database: Database, operation: str, **arguments: object) -> Any:
    """Runs an operation in the running service, or here. Raises ControlError or StoreError."""
    with line(database) as asking:
        return asking(operation, **arguments)


def line(database: Database, *, create: bool = False) -> AbstractContextManager[Callable[..., Any]]:
    """The way to the running service, or to the database here, for several operations. They raise as `ask` does.

    `create` makes a database where there is none. Raises StoreError for a URL that names no database.
    """
    return line_to(socket_path(database.place.state), lambda: _open_here(database, create=create))


def _open_here(database: Database, *, create: bool) -> OpenedHere:
    """A database that no service has open, with its operations for this process's own user."""
    # Imported here: where a service answers, a command needs nothing of this.
    from sync.central.opening import open_now
    from sync.central.operations.catalog import operations_for

    centre = open_now(database.url, database.keys, state_dir=database.state_dir, direct=database.direct, create=create)
    return OpenedHere(operations_for(centre, os.getuid()), centre.store.close)


def print_json(value: object) -> None:
    """Prints a value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
