"""The commands for bearer tokens: `token`, `tokens` and `token-revoke`."""

import re
import sys
from collections.abc import Mapping
from typing import Any

import click
import msgspec

from sync.central.commands.options import Database, as_json_option, ask, on_database, print_json
from sync.central.records.tokens import NEVER, TokenRecord, TokenState
from sync.central.services.lists import MAX_ROWS
from sync.clock import DAY_MS, iso

_HOUR_MS = 3600 * 1000
_UNITS_MS = {"h": _HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_LIFE = re.compile(r"([1-9][0-9]{0,3})([hdw])")
_ROLES = click.Choice(["patient", "staff", "metrics", "integration"])
_LISTED_ROLES = click.Choice(["patient", "visit", "staff", "metrics", "integration"])
_STATES = {
    TokenState.ACTIVE: "active",
    TokenState.EXPIRES_SOON: "EXPIRES SOON",
    TokenState.EXPIRED: "expired",
    TokenState.REVOKED: "ended",
    TokenState.REPLACED: "replaced",
}


def _read_life(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """A length of time such as 90d, 12h or 4w, or `never`: as ms."""
    if text is None or text == "never":
        return None if text is None else NEVER
    found = _LIFE.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no length of time such as 90d, 12h or 4w, nor never")
    return int(found[1]) * _UNITS_MS[found[2]]


@click.command()
@on_database
@click.option("--role", type=_ROLES, required=True, help="What the token may do.")
@click.option("--patient", "patient_id", metavar="ID", help="The patient that the token is for, with the role patient.")
@click.option("--name", metavar="NAME", help="Whose it is: a person, a board, a program. All but a patient's need one.")
@click.option(
    "--expires",
    "life_ms",
    callback=_read_life,
    metavar="LIFE",
    help="When it ends: after 90d, 12h or 4w, or never.  [default: never for a patient, 365d for others]",
)
def token(database: Database, role: str, patient_id: str | None, name: str | None, life_ms: int | None) -> None:
    """Make a bearer token and print it; it is not shown again. Its id and its end follow on standard error.

    \b
    Examples:
      kiosk-central token --database sqlite:///central.db --role staff --name "Ward 3 board" --expires 90d
      kiosk-central token --database sqlite:///central.db --role patient --patient D-1001
      kiosk-central token --database sqlite:///central.db --role metrics --name prometheus
      kiosk-central token --database sqlite:///central.db --role integration --name "Interface engine"
    """
    made = ask(database, "token", role=role, patient_id=patient_id, name=name, life_ms=life_ms)
    click.echo(made["token"])
    end = "never expires" if made["expires_ms"] is None else f"expires {iso(made['expires_ms'], 'UTC')}"
    click.echo(f"token {made['token_id']}, {end}", err=True)


@click.command("tokens")
@on_database
@click.option("--role", type=_LISTED_ROLES, help="List only tokens of this role.")
@click.option("--patient", "patient_id", metavar="ID", help="List only the tokens of this patient.")
@click.option("--all", "with_ended", is_flag=True, help="List ended and expired tokens too.")
@click.option("--after", metavar="TOKEN_ID", help="Begin after this token.")
@click.option(
    "--limit", type=click.IntRange(1, MAX_ROWS), default=MAX_ROWS, show_default=True, help="List at most so many."
)
@as_json_option
def list_tokens(
    database: Database,
    role: str | None,
    patient_id: str | None,
    with_ended: bool,
    after: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List all tokens but those of kiosks: id, role, whose it is, made, last used, end. It shows no token.

    \b
    Examples:
      kiosk-central tokens --database sqlite:///central.db
      kiosk-central tokens --database sqlite:///central.db --patient D-1001 --all
    """
    search = {"role": role, "patient_id": patient_id, "all": with_ended, "after": after, "limit": limit}
    found = ask(database, "tokens", **search)
    if as_json:
        print_json(found)
        return
    for each in found["tokens"]:
        click.echo(_line(each))
    if found["more"]:
        click.echo(f"more follow: --after {found['tokens'][-1]['token_id']}", err=True)


@click.command("token-revoke")
@on_database
@click.argument("named", metavar="[TOKEN_ID]", default="-")
def token_revoke(database: Database, named: str) -> None:
    """End a token by its id and close its sockets. Without an argument the id, or the token itself, is read from
    standard input.

    \b
    Examples:
      kiosk-central token-revoke --database sqlite:///central.db 1a2b3c4d5e6f
      kiosk-central token-revoke --database sqlite:///central.db < token.txt
    """
    ask(database, "token-revoke", token=sys.stdin.readline().strip() if named == "-" else named)


COMMANDS: tuple[click.Command, ...] = (token, list_tokens, token_revoke)


def _line(row: Mapping[str, Any]) -> str:
    found = msgspec.convert(row, TokenRecord)
    whose = [found.patient_id or "", found.name]
    words = [
        found.token_id,
        f"{found.role:<11}",
        " ".join(filter(None, whose)),
        f"made {_day(found.created_ms)}",
        f"last used {_day(found.used_ms)}" if found.used_ms is not None else "not used yet",
        f"expires {_day(found.expires_ms)}" if found.expires_ms is not None else "never expires",
        _STATES[found.state],
    ]
    return "  ".join(words)


def _day(at_ms: int) -> str:
    return iso(at_ms, "UTC")[:10]
