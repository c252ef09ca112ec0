"""The commands about what a kiosk did: `kiosks acts` lists it, `kiosks undo` takes it back."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import click

from sync.central.commands.options import Database, as_json_option, ask, line, on_database, print_json
from sync.central.commands.portions import counts_in_words, in_portions
from sync.central.services.lists import MAX_ROWS

_PERIOD = "A date, or a time in ISO 8601: local time of the site without an offset."


@click.command("acts")
@on_database
@click.argument("kiosk_id")
@click.option("--since", metavar="TIME", help=f"From this time of receipt on. {_PERIOD}")
@click.option("--until", metavar="TIME", help="Up to this time of receipt.")
@click.option("--after", metavar="ACT", help="Begin after this act.")
@click.option(
    "--limit", type=click.IntRange(1, MAX_ROWS), default=MAX_ROWS, show_default=True, help="List at most so many."
)
@as_json_option
def acts(
    database: Database,
    kiosk_id: str,
    since: str | None,
    until: str | None,
    after: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List what a kiosk did, oldest first: its actions with their verdicts, and the cases about it.

    \b
    Examples:
      kiosk-central kiosks acts --database sqlite:///central.db entrance-1 --since 2026-03-02T14:00
    """
    query = {"kiosk_id": kiosk_id, "since": since, "until": until, "after": after, "limit": limit}
    found = ask(database, "kiosk-acts", **query)
    if as_json:
        print_json(found)
        return
    for each in found["acts"]:
        click.echo(_action_line(each) if each["kind"] == "action" else _case_line(each))
    if found["more"]:
        click.echo(f"more follow: --after {found['acts'][-1]['act_id']}", err=True)


@click.command("undo")
@on_database
@click.argument("kiosk_id")
@click.option("--since", metavar="TIME", required=True, help=f"From this time of receipt on. {_PERIOD}")
@click.option("--until", metavar="TIME", help="Up to this time of receipt.  [default: now]")
@click.option("--reason", required=True, help="The reason, for staff and for the history.")
@click.option("--revoke", is_flag=True, help="Revoke the kiosk first.")
@click.option("--dry-run", "trial", is_flag=True, help="Say what would become of its acts, and change nothing.")
@as_json_option
def undo(
    database: Database,
    kiosk_id: str,
    since: str,
    until: str | None,
    reason: str,
    revoke: bool,
    trial: bool,
    as_json: bool,
) -> None:
    """Take back all that a kiosk did in a period. Given again after an interruption, it goes on.

    \b
    Examples:
      kiosk-central kiosks undo --database sqlite:///c.db entrance-1 --since 2026-03-02T14:00 --reason stolen --revoke
    """
    order = {"kiosk_id": kiosk_id, "since": since, "until": until, "reason": reason, "revoke": revoke}
    with line(database, create=False) as centre:
        begun = centre("kiosk-undo", order=order, trial=trial)
        common = {"period": begun["period"], "reason": reason, "trial": trial}
        counts = Counter(acts_without_effect=begun["without_effect"])
        counts += in_portions(centre, "kiosk-cases-discard", "cases", common)
        counts += in_portions(centre, "kiosk-undo-portion", "patients", common)
    if as_json:
        print_json({"kiosk_id": kiosk_id, "changed": not trial, **counts})
        return
    click.echo(counts_in_words(counts))
    if trial:
        click.echo("nothing was changed: this was a dry run", err=True)


def _action_line(act: Mapping[str, Any]) -> str:
    entries = (
        f"{each['queue_number'] or each['queue_id']} {each['previous'] or 'new'}→{each['new']}"
        for each in act["entries"]
    )
    words = [
        act["recorded_at"],
        act["act_id"],
        f"{act['action'] or '-':<16}",
        act["patient_id"] or "-",
        f"{act['from_state']}→{act['to_state']}" if act["from_state"] else "-",
        f"{act['verdict']} {act['code']}",
        act["effect"],
        f"done {act['happened_at']}" if act["happened_at"] else "",
        f"visit {act['visit_id']}" if act["visit_id"] else "",
        ", ".join(entries),
    ]
    return "  ".join(filter(None, words))


def _case_line(act: Mapping[str, Any]) -> str:
    words = [
        act["recorded_at"],
        act["act_id"],
        f"{'case':<16}",
        act["patient_id"] or "-",
        act["code"],
        f"{act['count']} times, last {act['last_at']}" if act["count"] > 1 else "",
        f"settled {act['settled_at']}" if act["settled_at"] else "open",
    ]
    return "  ".join(filter(None, words))
