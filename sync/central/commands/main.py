"""The command `kiosk-central`.

Exit codes: 0 done; 1 the check found a fault, or a document has refused rows; 2 the command failed, and one line on
standard error says why.
"""

import sqlite3
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

import click

from sync.central.commands import bindings, demo, hospital, imports, inbox, kiosks, service, tokens, upkeep
from sync.central.store.errors import StoreError
from sync.control import ControlError
from sync.journey.definitions import shipped
from sync.protocol import PROTOCOL_VERSION

_FAILED = 2


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs a command and ends the process with its exit code."""
    try:
        _demand_text(sys.argv[1:] if arguments is None else arguments)
        code = cli.main(args=arguments, prog_name="kiosk-central", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = _FAILED
    except click.Abort:
        code = _FAILED
    except sqlite3.Error as error:
        click.echo(f"kiosk-central: the database: {error}", err=True)
        code = _FAILED
    except (StoreError, ControlError, OSError) as error:
        click.echo(f"kiosk-central: {error}", err=True)
        code = _FAILED
    sys.exit(code)


def _demand_text(arguments: Sequence[str]) -> None:
    """Refuses bytes that are no UTF-8: Python passes them on as lone surrogates, which no database can hold."""
    try:
        "".join(arguments).encode()
    except UnicodeEncodeError as error:
        raise click.UsageError("an argument is not UTF-8") from error


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(
            f"kiosk-central {version('nfc-kiosk')}, protocol_version {PROTOCOL_VERSION},"
            f" definitions_version {shipped().version}"
        )
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Print the versions of the program, of the protocol and of its rules.",
)
def cli() -> None:
    """The central service of the NFC check-in kiosks.

    \b
    Examples:
      kiosk-central demo-data --database sqlite:///central.db
      kiosk-central run --database sqlite:///central.db
    """


for _room in (service, demo, hospital, imports, tokens, kiosks, inbox, bindings, upkeep):
    for _command in _room.COMMANDS:
        cli.add_command(_command)
