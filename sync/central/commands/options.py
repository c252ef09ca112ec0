"""What the commands of `kiosk-central` share: the options that name the database, and the way to it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sync.central.opening import call
from sync.central.operations.catalog import operations


def on_database(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options `url` and `keys`, which name its database and where the card keys lie."""
    keys = click.option(
        "--keys",
        metavar="F",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The card keys; <database>.keys if not given.",
    )
    return naming_database(keys(command))


def naming_database(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the option `url` alone."""
    database = click.option("--database", "url", metavar="URL", required=True, help="sqlite:///path/to/file.db")
    return database(command)


def ask(url: str, keys: Path | None, op: str, **arguments: object) -> Any:
    """Has an operation done, by the running service or here. Raises ControlError or StoreError."""
    return call(url, keys, operations, op, **arguments)
