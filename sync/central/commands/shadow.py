"""The command for the shadow: `shadow`."""

from collections.abc import Mapping
from typing import Any

import click

from sync.central.commands.options import Database, as_json_option, ask, on_database, print_json
from sync.central.operations.shadow import DAYS, WORDS
from sync.central.records.deciders import Decider

_DIFFERS = 1


@click.command()
@on_database
@click.option(
    "--words",
    type=click.IntRange(1),
    metavar="N",
    default=WORDS,
    show_default=True,
    help="An action is ready after them.",
)
@click.option(
    "--days", type=click.IntRange(1), metavar="N", default=DAYS, show_default=True, help="And after so many days."
)
@as_json_option
@click.pass_context
def shadow(context: click.Context, database: Database, words: int, days: int, as_json: bool) -> None:
    """Show where the rules differ from the hospital's other system, for each action that this system decides.

    An action is ready for the centre once so many words have come in so many days without a difference. Exits with 1
    where there are differences.

    \b
    Examples:
      kiosk-central shadow --database sqlite:///central.db
      kiosk-central shadow --database sqlite:///central.db --words 500 --days 14 --json
    """
    found = ask(database, "shadow", words=words, days=days)
    if as_json:
        print_json(found)
    for action in [] if as_json else found["actions"]:
        click.echo("\n".join(_lines(action)))
    if not found["actions"] and not as_json:
        click.echo("the centre decides all actions")
    if any(action["differing"] for action in found["actions"]):
        context.exit(_DIFFERS)


COMMANDS: tuple[click.Command, ...] = (shadow,)


def _lines(action: Mapping[str, Any]) -> list[str]:
    since = f"{action['action_type']}  {action['decider']} since {action['since']}"
    if action["decider"] != Decider.SHADOW:
        return [since]
    differ = f"{action['differing']} differ ({action['rate']:.2%}), {action['drifted']} drifted"
    lines = [f"{since}  {action['words']} words, {differ}{'  READY' if action['is_ready'] else ''}"]
    lines += [f"  {kind}: {count}" for kind, count in action["kinds"].items()]
    return lines + [f"  {_example(each)}" for each in action["examples"]]


def _example(example: Mapping[str, Any]) -> str:
    differs = (f"{each['kind']} {each['word']} / {each['rules']}" for each in example["differences"])
    return "  ".join([example["at"], example["word_id"], example["patient_id"], ", ".join(differs)])
