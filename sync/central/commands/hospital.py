"""The commands for the hospital itself: `import` and `site`."""

from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from sync.central.commands.options import as_json_option, ask, on_database, print_json
from sync.central.commands.web_options import web_options


@click.command("import")
@on_database
@click.argument("file", type=click.File("rb"))
def import_(url: str, keys: Path | None, file: BinaryIO) -> None:
    """Import a hospital document in JSON: site, exams, patients, cards, appointments.

    \b
    Examples:
      kiosk-central import --database sqlite:///central.db hospital.json
    """
    try:
        document = msgspec.json.decode(file.read())
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise click.ClickException(f"{file.name} is not JSON that can be read: {error}") from error
    rows = [
        {"kind": kind, "line": line, "fields": fields}
        for kind in ("exams", "site", "patients", "appointments")
        for line, fields in enumerate(
            [document[kind]] if kind == "site" and "site" in document else document.get(kind, ()), 1
        )
    ]
    for begin in range(0, len(rows), 500):
        ask(url, keys, "import-rows", rows=rows[begin : begin + 500])


@click.command()
@on_database
@click.option("--name", help="The name of the hospital.")
@click.option("--timezone", metavar="ZONE", help="The IANA time zone, such as Asia/Seoul.")
@click.option("--day-starts-at", metavar="HH:MM", help="The local time at which a day of the site begins.")
@click.option("--desk", metavar="EXAM", help="The exam id of the desk for patients without a booking.")
@click.option("--ticket-prefix", metavar="LETTERS", help="The prefix of the queue numbers that the centre gives.")
@click.option("--language", "languages", multiple=True, metavar="LANG", help="In order of preference; repeatable.")
@click.option("--new-id", is_flag=True, help="Make a copy of another centre's database a site of its own.")
@web_options
@as_json_option
def site(
    url: str,
    keys: Path | None,
    as_json: bool,
    languages: tuple[str, ...],
    new_id: bool,
    trusted_proxies: tuple[str, ...],
    allowed_origins: tuple[str, ...],
    **wanted: str | None,
) -> None:
    """Show the id and the settings of the site, and change the given ones.

    Public URL, proxies and origins count from the next start of the service. An empty text removes them.

    \b
    Examples:
      kiosk-central site --database sqlite:///central.db
      kiosk-central site --database sqlite:///central.db --timezone Asia/Seoul --language ko --language en
    """
    lists = {"languages": languages, "trusted_proxies": trusted_proxies, "allowed_origins": allowed_origins}
    given = {name: list(values) or None for name, values in lists.items()}
    settings = ask(url, keys, "site", new_id=new_id or None, **given, **wanted)
    if as_json:
        print_json(settings)
        return
    for setting, value in settings.items():
        click.echo(f"{setting}: {', '.join(value) if isinstance(value, list) else value}")


COMMANDS: tuple[click.Command, ...] = (import_, site)
