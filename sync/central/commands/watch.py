"""The command that watches a folder for documents: `watch`."""

import logging
import time
from pathlib import Path

import click

from sync.central.commands.options import Database, on_database
from sync.central.documents.interruption import Interrupted, interruptible
from sync.central.imports.parts import Kind
from sync.central.intake.folder import Folder
from sync.central.intake.order import Order
from sync.central.intake.watching import Watching
from sync.central.store.sqlite import demand_database
from sync.control import socket_path
from sync.logs import log_to_stderr

_CSV_KINDS = [kind.value for kind in (Kind.EXAM, Kind.PATIENT, Kind.APPOINTMENT)]
_LOOKS_EVERY_S = 0.2  # whether the command is to end


@click.command()
@on_database
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--kind", type=click.Choice(_CSV_KINDS), help="The rows of each CSV file.  [default: its header says it]")
@click.option("--encoding", metavar="NAME", help="The encoding of each file.  [default: its bytes say it]")
@click.option("--ignore-column", "ignored", multiple=True, metavar="NAME", help="A column to leave out; repeatable.")
@click.option("--strict", is_flag=True, help="Take a document only where no row of it is refused.")
@click.option("--force", is_flag=True, help="Let a complete day cancel more than a fifth of its bookings.")
@click.option(
    "--settle",
    "settle_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="How long a file does not change before it is taken for whole.",
)
def watch(
    database: Database,
    folder: Path,
    kind: str | None,
    encoding: str | None,
    ignored: tuple[str, ...],
    strict: bool,
    force: bool,
    settle_s: float,
) -> None:
    """Watch a folder, and have the running service take each document that appears there, as by `import`.

    A document goes to `done` or `refused` in the folder, with its report beside it. Ends with SIGTERM or Ctrl-C.

    \b
    Examples:
      kiosk-central watch --database sqlite:///central.db /srv/export
    """
    if database.place.file is not None:
        demand_database(database.place.file)  # else the command would wait for a service that never runs
    log_to_stderr()
    order = Order(
        socket=str(socket_path(database.place.state)),
        name="",
        by=f"folder:{folder.resolve()}",
        encoding=encoding,
        kind=kind,
        ignored_columns=ignored,
        strict=strict,
        force=force,
    )
    with interruptible() as interruption:
        interruption.defer()
        watching = Watching(Folder(folder, settle_s), order, interruption.check)
        logging.getLogger(__name__).info("%s is watched", folder)
        try:
            while True:
                until_s = watching.step() + time.monotonic()
                while time.monotonic() < until_s:
                    interruption.check()
                    time.sleep(_LOOKS_EVERY_S)
        except Interrupted:
            watching.end()


COMMANDS: tuple[click.Command, ...] = (watch,)
