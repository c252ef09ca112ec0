"""The command `demo-data`."""

import click

from sync.central.commands.options import Database, as_json_option, line, on_database, print_json


@click.command("demo-data")
@on_database
@as_json_option
def demo_data(database: Database, as_json: bool) -> None:
    """Make the demo hospital, or complete it for today, and list its patients with their cards.

    The database is made where there is none. One that holds another hospital is refused.

    \b
    Examples:
      kiosk-central demo-data --database sqlite:///central.db
    """
    with line(database, create=True) as ask:
        patients = ask("demo-data")
    if as_json:
        print_json(patients)
        return
    for patient in patients:
        click.echo(f"{patient['patient_id']}  {patient['uid']}  {patient['masked_name']}  booked: {patient['booked']}")


COMMANDS: tuple[click.Command, ...] = (demo_data,)
