"""The command `move`: a centre goes on in another database."""

from pathlib import Path

import click

from sync.central.commands.progress import progress_bar
from sync.central.store.place import is_postgresql
from sync.clock import now_ms

_DIRECTORY = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--from", "source", metavar="URL", required=True, help="The database that the centre leaves.")
@click.option(
    "--to", "target", metavar="URL", required=True, help="An empty database, or a file that is not there yet."
)
@click.option("--state-dir", metavar="DIR", type=_DIRECTORY, help="The state directory of a database on a server.")
@click.option(
    "--keys",
    metavar="F",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A key file elsewhere, which stays there.  [default: it comes along]",
)
def move(source: str, target: str, state_dir: Path | None, keys: Path | None) -> None:
    """Move the centre into another database while the service is stopped, and compare every row.

    The card keys come along. The old database stays as it was, but no service starts on it any more. A move that was
    interrupted is ended by the same command.

    \b
    Examples:
      kiosk-central move --from sqlite:///central.db --to postgresql:///centre --state-dir state
    """
    # Imported here: they load the databases, which the other commands need not.
    from sync.central.maintenance import move as moving
    from sync.central.maintenance.log_keys import move_log_keys
    from sync.central.opening import keys_path, move_keys
    from sync.central.store.opening import open_store
    from sync.central.store.share import Share

    old = open_store(source, _state_of(source, state_dir), create=False, share=Share.ALONE)
    try:
        new = open_store(target, _state_of(target, state_dir), share=Share.ALONE)
        try:
            if keys is None:
                move_keys(keys_path(old.place.state), keys_path(new.place.state))
            move_log_keys(old.place.state, new.place.state)
            with progress_bar(moving.PASSES * moving.count_rows(old), "moving") as advance:
                moved = moving.move(old, new, now_ms(), advance)
            click.echo(f"{moved.rows} rows are in {new.place}, up to change {moved.change}, and each was compared")
            click.echo("start the service on it: kiosks and apps notice nothing")
        finally:
            new.close()
    finally:
        old.close()


def _state_of(url: str, state_dir: Path | None) -> Path | None:
    """The state directory of a database; None for a file, which has its state beside it."""
    return state_dir if is_postgresql(url) else None


COMMANDS: tuple[click.Command, ...] = (move,)
