"""The commands for kiosks: `enroll-code`, `kiosks` and `kiosk-revoke`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from sync.central.commands.options import as_json_option, ask, on_database, print_json
from sync.central.records.kiosks import Kiosk
from sync.clock import iso


@click.command("enroll-code")
@on_database
@click.option(
    "--action",
    "actions",
    multiple=True,
    metavar="ACTION",
    help="Grant this action at most, or the actions of this kind of kiosk, such as payment; repeatable.",
)
def enroll_code(url: str, keys: Path | None, actions: tuple[str, ...]) -> None:
    """Print a code that enrols one kiosk within ten minutes.

    \b
    Examples:
      kiosk-central enroll-code --database sqlite:///central.db
      kiosk-central enroll-code --database sqlite:///central.db --action make_payment
    """
    click.echo(ask(url, keys, "enroll-code", actions=list(actions) or None))


@click.command("kiosks")
@on_database
@as_json_option
def list_kiosks(url: str, keys: Path | None, as_json: bool) -> None:
    """List the kiosks: id, prefix of their numbers, granted actions, time of the last contact.

    \b
    Examples:
      kiosk-central kiosks --database sqlite:///central.db
    """
    found = ask(url, keys, "kiosks")
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(_line(each))


@click.command("kiosk-revoke")
@on_database
@click.argument("kiosk_id")
def revoke_one(url: str, keys: Path | None, kiosk_id: str) -> None:
    """Revoke a kiosk. Its unsent actions stay on it until it is enrolled again.

    \b
    Examples:
      kiosk-central kiosk-revoke --database sqlite:///central.db entrance-1
    """
    ask(url, keys, "kiosk-revoke", kiosk_id=kiosk_id)


COMMANDS: tuple[click.Command, ...] = (enroll_code, list_kiosks, revoke_one)


def _line(row: Mapping[str, Any]) -> str:
    kiosk = msgspec.convert(row, Kiosk)
    contact = f"last contact {iso(kiosk.seen_ms, 'UTC')}" if kiosk.seen_ms is not None else "no contact yet"
    state = "revoked" if kiosk.revoked_ms else contact
    return f"{kiosk.kiosk_id}  {kiosk.ticket_prefix}  {kiosk.name}  {' '.join(row['actions'])}  {state}"
