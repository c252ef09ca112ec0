"""What the commands of `kiosk-central` share: the options that name the database, and the way to it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from sync.central.opening import call
from sync.central.operations import operations


@dataclass(frozen=True, slots=True)
class Database:
    """The database that a command is about."""

    url: str
    keys: Path | None

    def do(self, op: str, **arguments: object) -> Any:
        """Has an operation done, by the running service or here. Raises ControlError or StoreError."""
        return call(self.url, self.keys, operations, op, **arguments)


def on_database(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options that name its database; it gets a `Database` as its first argument."""

    @click.option("--database", "url", metavar="URL", required=True, help="sqlite:///path/to/file.db")
    @click.option(
        "--keys",
        metavar="F",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The card keys; <database>.keys if not given.",
    )
    @wraps(command)
    def with_database(url: str, keys: Path | None, **rest: Any) -> Any:
        return command(Database(url, keys), **rest)

    return with_database
