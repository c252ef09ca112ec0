"""The commands of `kiosk-central` for kiosks: make an enrolment code, list them, revoke one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from sync.central.commands.options import ask, on_database
from sync.central.records.kiosks import Kiosk
from sync.clock import iso


@click.command("enroll-code")
@on_database
@click.option(
    "--action",
    "actions",
    multiple=True,
    metavar="ACTION",
    help="Grant no more than this action, or what this kind of kiosk is granted, such as payment; repeatable.",
)
def enroll_code(url: str, keys: Path | None, actions: tuple[str, ...]) -> None:
    """Print a code that enrols one kiosk within ten minutes."""
    click.echo(ask(url, keys, "enroll-code", actions=list(actions) or None))


@click.command("kiosks")
@on_database
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_kiosks(url: str, keys: Path | None, as_json: bool) -> None:
    """List the kiosks: id, prefix of their numbers, what they are granted, when they were last heard of."""
    found = ask(url, keys, "kiosks")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    for each in found:
        click.echo(_line(each))


@click.command("kiosk-revoke")
@on_database
@click.argument("kiosk_id")
def revoke_one(url: str, keys: Path | None, kiosk_id: str) -> None:
    """End a kiosk for good. What it has not sent yet stays on it until it is enrolled again."""
    ask(url, keys, "kiosk-revoke", kiosk_id=kiosk_id)


COMMANDS: tuple[click.Command, ...] = (enroll_code, list_kiosks, revoke_one)


def _line(row: Mapping[str, Any]) -> str:
    known = msgspec.convert(row, Kiosk)
    seen = f"last heard of {iso(known.seen_ms, 'UTC')}" if known.seen_ms is not None else "never heard of"
    state = "revoked" if known.revoked_ms else seen
    return f"{known.kiosk_id}  {known.ticket_prefix}  {known.name}  {' '.join(row['actions'])}  {state}"
