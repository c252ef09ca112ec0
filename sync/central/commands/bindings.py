"""The commands for patients' cards: `bindings list`, `end`, `block` and `unblock`."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from sync.central.commands.options import Database, as_json_option, ask, on_database, print_json


@click.group()
def bindings() -> None:
    """Cards bound to patients: list those of a patient, end a binding, block a card that was lost.

    \b
    Examples:
      kiosk-central bindings list --database sqlite:///central.db D-1001
    """


def _on_binding(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the arguments `patient_id` and `binding_id`, and the option `reason`."""
    with_reason = click.option("--reason", default="", help="The reason, for staff.")(command)
    with_binding = click.argument("binding_id", metavar="BINDING")(with_reason)
    return on_database(click.argument("patient_id", metavar="PATIENT")(with_binding))


@bindings.command("list")
@on_database
@click.argument("patient_id", metavar="PATIENT")
@click.option("--after", metavar="BINDING", help="Begin after this binding.")
@as_json_option
def list_bindings(database: Database, patient_id: str, after: str | None, as_json: bool) -> None:
    """List a patient's bindings, oldest first: since, until, state, how each came about, and by whom.

    500 at most. Where more follow, a last line says how to list them.

    \b
    Examples:
      kiosk-central bindings list --database sqlite:///central.db D-1001
    """
    answer = ask(database, "bindings", patient_id=patient_id, after=after)
    found, more = answer["bindings"], answer["more"]
    if as_json:
        print_json(found)
    else:
        for each in found:
            click.echo(_line(each))
        click.echo(
            f"{len(found) + more} bindings of patient {answer['patient_id']}" + (f" after {after}" if after else "")
        )
    if more:
        click.echo(f"{more} more: --after {found[-1]['binding_id']}", err=as_json)


@bindings.command("end")
@_on_binding
def end(database: Database, patient_id: str, binding_id: str, reason: str) -> None:
    """End a binding. The card is unknown then, and may be bound again.

    \b
    Examples:
      kiosk-central bindings end --database sqlite:///central.db D-1001 0198a1b2-0000-7000-8000-000000000001
    """
    _act("binding-end", database, patient_id, binding_id, reason)


@bindings.command("block")
@_on_binding
def block(database: Database, patient_id: str, binding_id: str, reason: str) -> None:
    """End a binding and block its card, which was lost. The card opens nobody, and cannot be bound.

    \b
    Examples:
      kiosk-central bindings block --database sqlite:///central.db D-1001 0198a1b2-0000-7000-8000-000000000001
    """
    _act("binding-block", database, patient_id, binding_id, reason)


@bindings.command("unblock")
@_on_binding
def unblock(database: Database, patient_id: str, binding_id: str, reason: str) -> None:
    """Unblock the card of a binding. The binding stays ended, and staff may bind the card again.

    \b
    Examples:
      kiosk-central bindings unblock --database sqlite:///central.db D-1001 0198a1b2-0000-7000-8000-000000000001
    """
    _act("binding-unblock", database, patient_id, binding_id, reason)


COMMANDS: tuple[click.Command, ...] = (bindings,)


def _act(operation: str, database: Database, patient_id: str, binding_id: str, reason: str) -> None:
    done = ask(database, operation, patient_id=patient_id, binding_id=binding_id, reason=reason)
    click.echo(f"binding {done['binding_id']} of patient {done['patient_id']}: {done['state']}")


def _line(binding: Mapping[str, Any]) -> str:
    until = f"until {binding['until']} by {binding['ended_by']}" if binding["until"] else ""
    parts = (
        f"{binding['binding_id']}  {binding['state']:<8}",
        f"since {binding['since']} by {binding['bound_by']} ({binding['origin']})",
        until,
        binding["label"],
        binding["reason"],
    )
    return "  ".join(part for part in parts if part)
