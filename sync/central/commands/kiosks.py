"""The commands for kiosks: `enroll-code`, `kiosks` with `list`, `renew`, `revoke`, `acts` and `undo`, and `take-in`."""

from collections.abc import Mapping
from typing import Any, BinaryIO

import click
import msgspec

from sync.central.commands.kiosk_tokens import renew, tokens_in_words
from sync.central.commands.options import Database, as_json_option, ask, on_database, print_json
from sync.central.commands.undo import acts, undo
from sync.central.records.kiosks import Kiosk
from sync.clock import iso
from sync.set_aside import Contents, read_lines

_SOME_LOST = 1
_NO_HOSPITAL = "this centre has no hospital yet: run kiosk-central import before the code is used"


@click.command("enroll-code")
@on_database
@click.option(
    "--action",
    "actions",
    multiple=True,
    metavar="ACTION",
    help="What the kiosk may do: an action, or a kind of kiosk such as payment; repeatable. Default: entrance.",
)
def enroll_code(database: Database, actions: tuple[str, ...]) -> None:
    """Print a code that enrols one kiosk within ten minutes.

    \b
    Examples:
      kiosk-central enroll-code --database sqlite:///central.db
      kiosk-central enroll-code --database sqlite:///central.db --action payment
    """
    made = ask(database, "enroll-code", actions=list(actions) or None)
    click.echo(made["code"])
    if not made["has_hospital"]:
        click.echo(_NO_HOSPITAL, err=True)


@click.group("kiosks")
def kiosks() -> None:
    """The kiosks: list them, renew their tokens, revoke one, list what one did, take it back.

    \b
    Examples:
      kiosk-central kiosks list --database sqlite:///central.db
    """


@kiosks.command("list")
@on_database
@as_json_option
def list_kiosks(database: Database, as_json: bool) -> None:
    """List the kiosks: id, prefix of their numbers, granted actions, last contact, waiting actions, age of the token.

    \b
    Examples:
      kiosk-central kiosks list --database sqlite:///central.db
    """
    found = ask(database, "kiosks")
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(_line(each))


@kiosks.command("revoke")
@on_database
@click.argument("kiosk_id")
def revoke_one(database: Database, kiosk_id: str) -> None:
    """Revoke a kiosk. Its unsent actions stay on it until it is enrolled again.

    \b
    Examples:
      kiosk-central kiosks revoke --database sqlite:///central.db entrance-1
    """
    ask(database, "kiosk-revoke", kiosk_id=kiosk_id)


@click.command("take-in")
@on_database
@click.argument("file", type=click.File("rb"))
@as_json_option
@click.pass_context
def take_in(context: click.Context, database: Database, file: BinaryIO, as_json: bool) -> None:
    """Take in FILE, in which a kiosk of this hospital has set actions aside. A file that comes twice changes nothing.

    \b
    Examples:
      kiosk-central take-in --database sqlite:///central.db entrance-1.aside
    """
    from sync.central.kiosks.take_in import AT_ONCE  # it loads the whole judgement of actions

    contents = read_lines(file)
    if not contents.actions:
        raise click.ClickException(f"{file.name} holds no action that can be read")
    if contents.is_mixed:
        raise click.ClickException(f"{file.name} holds the lines of more than one file: take each file in by itself")
    taken: list[dict[str, Any]] = []
    for first in range(0, len(contents.actions), AT_ONCE):
        portion = msgspec.to_builtins(contents.actions[first : first + AT_ONCE])
        taken += ask(database, "take-in", actions=portion)
    if as_json:
        print_json({"actions": taken, "lost": contents.lost, "damaged_lines": contents.damaged_lines})
    else:
        for each in taken:
            who = each["patient_id"] or "-"
            click.echo(f"{each['place']:>6}  {each['action_id']}  {each['verdict']:<12} {each['code']:<16} {who}")
        click.echo(f"{len(taken)} actions taken in")
    if contents.lost or contents.damaged_lines:
        click.echo(_loss_in_words(contents), err=True)
        context.exit(_SOME_LOST)


for _command in (renew, acts, undo):
    kiosks.add_command(_command)

COMMANDS: tuple[click.Command, ...] = (enroll_code, kiosks, take_in)


def _loss_in_words(contents: Contents) -> str:
    lost = f"{len(contents.lost)} actions are lost, of the places {_listed(contents.lost)} in the file"
    lines = f"damaged lines: {_listed(contents.damaged_lines)}"
    return "; ".join([lost] * bool(contents.lost) + [lines] * bool(contents.damaged_lines))


def _listed(numbers: tuple[int, ...]) -> str:
    shown = ", ".join(str(number) for number in numbers[:_MOST_SHOWN])
    return f"{shown} and {len(numbers) - _MOST_SHOWN} more" if len(numbers) > _MOST_SHOWN else shown


_MOST_SHOWN = 20


def _line(row: Mapping[str, Any]) -> str:
    kiosk = msgspec.convert(row, Kiosk)
    contact = f"last contact {iso(kiosk.seen_ms, 'UTC')}" if kiosk.seen_ms is not None else "no contact yet"
    if kiosk.unanswered_ms is not None:
        contact += f", without an answer to its pulls since {iso(kiosk.unanswered_ms, 'UTC')}"
    state = "revoked" if kiosk.revoked_ms else contact
    words = [kiosk.kiosk_id, kiosk.ticket_prefix, kiosk.name, " ".join(row["actions"]), state]
    more = [backlog_in_words(row["backlog"])] if row["backlog"] else []
    return "  ".join([*words, *more, *([tokens_in_words(row["token"])] if row["token"] else [])])


def backlog_in_words(row: Mapping[str, Any]) -> str:
    """The waiting actions of a kiosk, for an operator."""
    backlog = msgspec.convert(row, _Backlog)
    parked = f", {backlog.parked} refused by the network" if backlog.parked else ""
    return f"{backlog.waiting} waiting since {iso(backlog.since_ms, 'UTC')}{parked}"


class _Backlog(msgspec.Struct, frozen=True):
    waiting: int
    since_ms: int
    parked: int
