"""The commands for bearer tokens: `token` and `token-revoke`."""

import sys
from pathlib import Path

import click

from sync.central.commands.options import ask, on_database


@click.command()
@on_database
@click.option("--role", type=click.Choice(["patient", "staff"]), required=True, help="What the token may do.")
@click.option("--patient", "patient_id", metavar="ID", help="The patient that the token is for, with the role patient.")
def token(url: str, keys: Path | None, role: str, patient_id: str | None) -> None:
    """Make a bearer token and print it; it is not shown again.

    \b
    Examples:
      kiosk-central token --database sqlite:///central.db --role staff
      kiosk-central token --database sqlite:///central.db --role patient --patient D-1001
    """
    click.echo(ask(url, keys, "token", role=role, patient_id=patient_id))


@click.command("token-revoke")
@on_database
@click.argument("text", metavar="[TOKEN]", default="-")
def token_revoke(url: str, keys: Path | None, text: str) -> None:
    """End a token and close its sockets. Without an argument the token is read from standard input.

    \b
    Examples:
      kiosk-central token-revoke --database sqlite:///central.db < token.txt
    """
    ask(url, keys, "token-revoke", token=sys.stdin.readline().strip() if text == "-" else text)


COMMANDS: tuple[click.Command, ...] = (token, token_revoke)
