"""The command `migrate-legacy`: the way over from a system of the Django era, and back."""

import os
from pathlib import Path

import click

from sync.central.commands.progress import progress_bar
from sync.clock import now_ms

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.command("migrate-legacy")
@click.option("--from", "source", metavar="URL", help="The old database; with --revert and --to, the centre.")
@click.option("--to", "target", metavar="URL", help="The centre; with --revert, the old database.")
@click.option("--in-place", is_flag=True, help="Give the states in the old tables their new names.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option("--revert", is_flag=True, help="The way back, with all that has come since.")
@click.option("--forget", is_flag=True, help="Delete the old rows that the centre keeps for the way back.")
@click.option(
    "--layout", "layout_file", metavar="F", type=_FILE, help="The tables and names that differ from Django's."
)
@click.option("--print-layout", is_flag=True, help="Print Django's own layout, to be changed.")
@click.option(
    "--files",
    metavar="DIR",
    type=_DIRECTORY,
    default="migrate-legacy",
    show_default=True,
    help="The directory for backup and list of rows.",
)
@click.option("--state-dir", metavar="DIR", type=_DIRECTORY, help="The state directory of a centre on a server.")
def migrate_legacy(
    source: str | None,
    target: str | None,
    in_place: bool,
    dry_run: bool,
    revert: bool,
    forget: bool,
    layout_file: Path | None,
    print_layout: bool,
    files: Path,
    state_dir: Path | None,
) -> None:
    """Migrate the database of a system of the Django era into a centre, or in place, and back.

    Stop the old system and the centre first. The command makes a backup and checks it. An interruption leaves nothing
    half done: give the command again.

    \b
    Examples:
      kiosk-central migrate-legacy --from sqlite:///old.sqlite3 --to sqlite:///central.db --dry-run
      kiosk-central migrate-legacy --revert --from sqlite:///central.db --to sqlite:///old.sqlite3
    """
    # Imported here: they load the databases, which the other commands need not.
    from sync.central.legacy import orders, said
    from sync.central.legacy.layout import read_layout, shipped_text
    from sync.central.legacy.orders import CentrePlace, Order
    from sync.central.operations.desk import operator_named, user_name

    if print_layout:
        click.echo(shipped_text(), nl=False)
        return
    who = operator_named(user_name(os.getuid())).who
    order = Order(files, who, now_ms(), progress_bar, dry_run)
    if forget:
        rows = orders.forget(CentrePlace(_given(target, "--to"), state_dir), order)
        lines = said.forgotten(rows, trial=dry_run)
    elif in_place and revert:
        lines = said.renamed_back(*orders.rename_back(_given(source, "--from"), order))
    elif in_place:
        lines = said.renamed(orders.rename_in_place(_given(source, "--from"), read_layout(layout_file), order))
    elif revert:
        centre = CentrePlace(_given(source, "--from"), state_dir)
        lines = said.reverted(*orders.revert(centre, _given(target, "--to"), layout_file, order))
    else:
        layout, centre = read_layout(layout_file), CentrePlace(_given(target, "--to"), state_dir)
        lines = said.migrated(layout, orders.migrate(_given(source, "--from"), centre, layout, order))
    for line in lines:
        click.echo(line)


COMMANDS: tuple[click.Command, ...] = (migrate_legacy,)


def _given(url: str | None, option: str) -> str:
    if url is None:
        raise click.UsageError(f"give {option} too")
    return url
