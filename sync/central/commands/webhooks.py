"""The commands for webhooks: `webhooks add`, `list`, `rotate`, `remove`, `dead` and `retry`."""

from collections.abc import Mapping
from typing import Any

import click

from sync.central.commands.options import Database, as_json_option, ask, on_database, print_json
from sync.central.feed.events import EventType
from sync.clock import iso


@click.group()
def webhooks() -> None:
    """Webhooks, which send what happens to the hospital's system: docs/integration.md.

    \b
    Examples:
      kiosk-central webhooks list --database sqlite:///central.db
    """


@webhooks.command("add")
@on_database
@click.argument("receiver", metavar="URL")
@click.option(
    "--event",
    "types",
    type=click.Choice([each.value for each in EventType]),
    multiple=True,
    help="A type of event to send; repeatable.  [default: all]",
)
@click.option("--oldest", is_flag=True, help="Send what has happened since the beginning, too.")
@click.option("--insecure", is_flag=True, help="Let patients' ids cross the network in clear, to an http URL.")
def add(database: Database, receiver: str, types: tuple[str, ...], oldest: bool, insecure: bool) -> None:
    """Send events to a URL from now on. Prints the secret that signs them; it is not shown again.

    \b
    Examples:
      kiosk-central webhooks add --database sqlite:///central.db https://engine.hospital.example/checkin
      kiosk-central webhooks add --database sqlite:///central.db https://engine.hospital.example/c --event called
    """
    _show_secret(ask(database, "webhook-add", url=receiver, types=list(types), oldest=oldest, insecure=insecure))


@webhooks.command("list")
@on_database
@as_json_option
def list_webhooks(database: Database, as_json: bool) -> None:
    """List the webhooks: id, URL, types, and how each stands. It shows no secret.

    \b
    Examples:
      kiosk-central webhooks list --database sqlite:///central.db
    """
    found = ask(database, "webhooks")
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(f"{each['webhook_id']}  {each['url']}  {' '.join(each['types']) or 'all events'}  {_standing(each)}")


@webhooks.command("rotate")
@on_database
@click.argument("webhook_id", metavar="WEBHOOK")
def rotate(database: Database, webhook_id: str) -> None:
    """Make a new secret and print it. For a day the former one signs too.

    \b
    Examples:
      kiosk-central webhooks rotate --database sqlite:///central.db wh_0123456789ab
    """
    _show_secret(ask(database, "webhook-rotate", webhook_id=webhook_id))


@webhooks.command("remove")
@on_database
@click.argument("webhook_id", metavar="WEBHOOK")
def remove(database: Database, webhook_id: str) -> None:
    """Remove a webhook with its dead letters. Nothing is sent to it any more.

    \b
    Examples:
      kiosk-central webhooks remove --database sqlite:///central.db wh_0123456789ab
    """
    ask(database, "webhook-remove", webhook_id=webhook_id)


@webhooks.command("dead")
@on_database
@click.argument("webhook_id", metavar="WEBHOOK")
@click.option("--after", metavar="EVENT", help="Begin after this event.")
@as_json_option
def dead(database: Database, webhook_id: str, after: str | None, as_json: bool) -> None:
    """List the events that the receiver did not take: id, when they were given up, and why. 500 at most.

    \b
    Examples:
      kiosk-central webhooks dead --database sqlite:///central.db wh_0123456789ab
    """
    found = ask(database, "webhook-dead", webhook_id=webhook_id, after=after)
    if as_json:
        print_json(found)
        return
    for each in found["dead"]:
        click.echo(
            f"{each['event_id']}  {iso(each['died_ms'], 'UTC')}  {each['why']}" + "  is sent again" * each["again"]
        )
    if found["more"]:
        click.echo(f"more follow: --after {found['dead'][-1]['event_id']}", err=True)


@webhooks.command("retry")
@on_database
@click.argument("webhook_id", metavar="WEBHOOK")
@click.option("--event", "event_id", metavar="EVENT", help="Send this event alone again.  [default: all]")
def retry(database: Database, webhook_id: str, event_id: str | None) -> None:
    """Send dead letters once more, and try at once. A webhook that its receiver has ended is in force again.

    \b
    Examples:
      kiosk-central webhooks retry --database sqlite:///central.db wh_0123456789ab
    """
    number = ask(database, "webhook-retry", webhook_id=webhook_id, event_id=event_id)
    click.echo(f"{number} dead letters are sent again")


COMMANDS: tuple[click.Command, ...] = (webhooks,)


def _show_secret(made: Mapping[str, Any]) -> None:
    click.echo(made["secret"])
    click.echo(f"webhook {made['webhook_id']}", err=True)


def _standing(webhook: Mapping[str, Any]) -> str:
    dead = f", {webhook['dead']} dead letters" if webhook["dead"] else ""
    if webhook["ended_ms"] is not None:
        return f"ENDED by its receiver at {iso(webhook['ended_ms'], 'UTC')}{dead}"
    if webhook["failing_since_ms"] is not None:
        next_at, since = iso(webhook["next_ms"], "UTC"), iso(webhook["failing_since_ms"], "UTC")
        return f"FAILING since {since}: {webhook['why']}; next at {next_at}{dead}"
    return f"{'behind' if webhook['is_behind'] else 'has everything'}{dead}"
