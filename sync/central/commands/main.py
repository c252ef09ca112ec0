"""The command `kiosk-central`.

Exit codes: 0 done; 1 the check found a fault, or a document has refused rows; 2 the command failed, and one line on
standard error says why.
"""

import sqlite3
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import click

from sync.central.store.errors import StoreError
from sync.control import ControlError

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
        from importlib.metadata import version

        from sync.journey.definitions import shipped
        from sync.protocol import PROTOCOL_VERSION

        click.echo(
            f"kiosk-central {version('nfc-kiosk')}, protocol_version {PROTOCOL_VERSION},"
            f" definitions_version {shipped().version}"
        )
        context.exit()


class _Commands(click.Group):
    """The commands, which are loaded when one is used: `run` is to start the worker soon, and needs no other one."""

    def list_commands(self, _: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted(["run", *_short_commands()])

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        """The command of a name, or None."""
        if name == "run":
            from sync.central.commands.service import run

            return run
        return _short_commands().get(name)


def _short_commands() -> Mapping[str, click.Command]:
    from sync.central.commands.short import COMMANDS

    return COMMANDS


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
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
