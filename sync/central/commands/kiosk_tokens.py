"""The command for the tokens of kiosks, `kiosks renew`, and what the list of kiosks says of them."""

from collections.abc import Mapping
from typing import Any

import click

from sync.central.commands.options import Database, ask, on_database
from sync.clock import iso


@click.command("renew")
@on_database
@click.argument("kiosk_ids", nargs=-1)
@click.option("--all", "of_all", is_flag=True, help="Every kiosk that is not revoked.")
def renew(database: Database, kiosk_ids: tuple[str, ...], of_all: bool) -> None:
    """Ask kiosks for a new token at once, such as after a leak. The former token ends once the new one is in use.

    \b
    Examples:
      kiosk-central kiosks renew --database sqlite:///central.db entrance-1
      kiosk-central kiosks renew --database sqlite:///central.db --all
    """
    if of_all == bool(kiosk_ids):
        raise click.UsageError("name the kiosks, or give --all")
    for kiosk_id in ask(database, "kiosk-renew", kiosk_ids=list(kiosk_ids)):
        click.echo(kiosk_id)


def tokens_in_words(view: Mapping[str, Any]) -> str:
    """The tokens of a kiosk, for an operator."""
    words = [f"token of {_day(view['created_ms'])}"]
    if view["asked_ms"] is not None:
        words.append(f"a new one asked for {iso(view['asked_ms'], 'UTC')}")
    elif view["due"]:
        words.append(f"due to be renewed since {_day(view['renews_ms'])}")
    else:
        words.append(f"renewed from {_day(view['renews_ms'])} on")
    if view["newer_ms"] is not None:
        words.append(f"the new one of {iso(view['newer_ms'], 'UTC')} not used yet")
    if view["former_until_ms"] is not None:
        words.append(f"the former one valid until {iso(view['former_until_ms'], 'UTC')}")
    return ", ".join(words)


def _day(at_ms: int) -> str:
    return iso(at_ms, "UTC")[:10]
