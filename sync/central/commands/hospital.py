"""The command for the hospital itself: `site`."""

import click

from sync.central.commands.options import Database, as_json_option, ask, on_database, print_json
from sync.central.commands.web_options import web_options


@click.command()
@on_database
@click.option("--name", help="The name of the hospital.")
@click.option("--timezone", metavar="ZONE", help="The IANA time zone, such as Asia/Seoul.")
@click.option("--day-starts-at", metavar="HH:MM", help="The local time at which a day of the site begins.")
@click.option("--desk", metavar="EXAM", help="The exam id of the desk for patients without a booking.")
@click.option("--ticket-prefix", metavar="LETTERS", help="The prefix of the queue numbers that the centre gives.")
@click.option("--language", "languages", multiple=True, metavar="LANG", help="In order of preference; repeatable.")
@click.option(
    "--refuse-short-uids/--accept-short-uids",
    default=None,
    help="Whether cards with a UID of 4 bytes are refused: they are easy to copy.",
)
@click.option(
    "--decides",
    multiple=True,
    metavar="ACTION=WHO",
    help="Who decides an action: legacy, shadow or new (the centre); repeatable.",
)
@click.option("--new-id", is_flag=True, help="Make a copy of another centre's database a site of its own.")
@web_options
@as_json_option
def site(
    database: Database,
    as_json: bool,
    languages: tuple[str, ...],
    decides: tuple[str, ...],
    new_id: bool,
    trusted_proxies: tuple[str, ...],
    allowed_origins: tuple[str, ...],
    **wanted: str | bool | None,
) -> None:
    """Show the id and the settings of the site, and change the given ones.

    Public URL, proxies and origins count from the next start of the service. An empty text removes them.

    \b
    Examples:
      kiosk-central site --database sqlite:///central.db
      kiosk-central site --database sqlite:///central.db --decides register=shadow
      kiosk-central site --database sqlite:///central.db --timezone Asia/Seoul --language ko --language en
    """
    lists = {"languages": languages, "trusted_proxies": trusted_proxies, "allowed_origins": allowed_origins}
    given = {name: list(values) or None for name, values in lists.items()}
    settings = ask(database, "site", new_id=new_id or None, decides=list(decides) or None, **given, **wanted)
    if as_json:
        print_json(settings)
        return
    for setting, value in settings.items():
        click.echo(f"{setting}: {_in_words(value)}")


COMMANDS: tuple[click.Command, ...] = (site,)


def _in_words(value: str | bool | list[str]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else value
