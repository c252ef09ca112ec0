"""The commands for the exception inbox: `exceptions list`, `show`, `settle` and `discard`."""

from collections.abc import Mapping
from typing import Any

import click

from sync.central.commands.options import Database, as_json_option, ask, line, on_database, print_json
from sync.central.commands.portions import counts_in_words, in_portions
from sync.central.services.lists import MAX_ROWS


@click.group()
def exceptions() -> None:
    """Actions of kiosks that the rules cannot decide: list the cases, look at one, settle one.

    \b
    Examples:
      kiosk-central exceptions list --database sqlite:///central.db
    """


@exceptions.command("list")
@on_database
@click.option("--after", metavar="CASE", help="Begin after this case.")
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_ROWS),
    default=MAX_ROWS,
    show_default=True,
    help="List at most this number of cases.",
)
@as_json_option
def list_cases(database: Database, after: str | None, limit: int, as_json: bool) -> None:
    """List the open cases, oldest first, and their number. Where more cases follow, a last line says how to list them.

    \b
    Examples:
      kiosk-central exceptions list --database sqlite:///central.db --limit 20
    """
    answer = ask(database, "exceptions", after=after, limit=limit)
    found, more = answer["exceptions"], answer["more"]
    if as_json:
        print_json(found)
    else:
        for each in found:
            click.echo(_line(each))
        click.echo(f"{len(found) + more} cases wait for staff" + (f" after {after}" if after else ""))
    if more:
        click.echo(f"{more} more: --after {found[-1]['exception_id']}", err=as_json)


@exceptions.command()
@on_database
@click.argument("exception_id", metavar="CASE")
@as_json_option
def show(database: Database, exception_id: str, as_json: bool) -> None:
    """Show a case: patient, actions, times, what the kiosk showed and what the centre knows.

    \b
    Examples:
      kiosk-central exceptions show --database sqlite:///central.db 0198a1b2-0000-7000-8000-000000000001
    """
    found = ask(database, "exception", exception_id=exception_id)
    if as_json:
        print_json(found)
    else:
        click.echo(_in_words(found))


@exceptions.command()
@on_database
@click.argument("exception_id", metavar="CASE")
@click.option("--apply", "how", flag_value="apply", help="The actions count, as the patient did them.")
@click.option("--discard", "how", flag_value="discard", help="The actions do not count; give a --reason.")
@click.option("--reassign", "patient_id", metavar="PATIENT", help="The actions count as this patient's.")
@click.option("--bind", is_flag=True, help="With --reassign: the card of the actions becomes the patient's.")
@click.option("--reason", default="", help="The reason, for the audit.")
def settle(
    database: Database, exception_id: str, how: str | None, patient_id: str | None, bind: bool, reason: str
) -> None:
    """Settle a case. Kiosks learn the new verdicts with their next pull.

    \b
    Examples:
      kiosk-central exceptions settle --database sqlite:///central.db --apply 0198a1b2-0000-7000-8000-000000000001
      kiosk-central exceptions settle --database sqlite:///c.db --reassign D-1001 --bind 0198a1b2-0000-7000-8000-01
    """
    if (how is None) == (patient_id is None):
        raise click.UsageError("give one of --apply, --discard, --reassign PATIENT")
    if bind and patient_id is None:
        raise click.UsageError("--bind goes with --reassign PATIENT alone")
    settled = ask(
        database,
        "settle",
        exception_id=exception_id,
        how=how or "reassign",
        patient_id=patient_id,
        bind=bind,
        reason=reason,
    )
    for each in settled["verdicts"]:
        click.echo(f"{each['action_id']}  {each['verdict']}  {each['code']}")
    bound = f", binding {settled['binding_id']}" if settled["binding_id"] else ""
    click.echo(f"case {settled['exception_id']}: {settled['settled']}{bound}")


@exceptions.command()
@on_database
@click.option("--kiosk", "kiosk_id", metavar="KIOSK", required=True, help="The kiosk whose cases are discarded.")
@click.option("--reason", required=True, help="The reason, for the audit.")
@click.option("--dry-run", "trial", is_flag=True, help="Count the cases, and change nothing.")
def discard(database: Database, kiosk_id: str, reason: str, trial: bool) -> None:
    """Discard all open cases of a kiosk. Cases in which another kiosk's action waits too stay.

    \b
    Examples:
      kiosk-central exceptions discard --database sqlite:///central.db --kiosk entrance-1 --reason stolen
    """
    with line(database, create=False) as centre:
        period = centre("kiosk-cases", kiosk_id=kiosk_id, reason=reason)
        common = {"period": period, "reason": reason, "with_reports": True, "trial": trial}
        counts = in_portions(centre, "kiosk-cases-discard", "cases", common)
    click.echo(counts_in_words(counts))
    if trial:
        click.echo("nothing was changed: this was a dry run", err=True)


COMMANDS: tuple[click.Command, ...] = (exceptions,)


def _line(case: Mapping[str, Any]) -> str:
    what = case["detail"].get("action_type", "-")
    who = case["patient_id"] or "-"
    kiosk = case["kiosk_id"] or "-"
    often = f"  {case['count']} times, last {case['last_at']}" if case["count"] > 1 else ""
    return f"{case['exception_id']}  {case['opened_at']}  {case['code']:<16} {what:<16} {who}  {kiosk}{often}"


def _in_words(case: Mapping[str, Any]) -> str:
    patient, kiosk, detail = case["patient"], case["kiosk"], case["detail"]
    lines = [
        f"case     {case['exception_id']}, since {case['opened_at']}",
        f"reason   {case['code']}",
        f"patient  {patient['patient_id'] + ' ' + patient['masked_name'] if patient else 'unknown'}",
        f"kiosk    {kiosk['kiosk_id'] + ' ' + kiosk['name'] if kiosk else '-'}",
    ]
    if case["count"] > 1:
        lines.append(f"happened {case['count']} times, last {case['last_at']}")
    if "happened_at" in detail:
        lines.append(f"happened {detail['happened_at']} ({detail['time_quality']})")
    for title, name in (("kiosk showed", "shown"), ("centre knew", "known")):
        if name in detail:
            lines += [f"{title}:", *(f"  {key}: {value}" for key, value in detail[name].items())]
    lines += [f"  {key}: {value}" for key, value in detail.items() if key not in _SHOWN_ABOVE]
    lines += [_act_in_words(each) for each in detail.get("acts", ())]
    lines += [f"action   {each['action_id']}  {each['action_type']}  {each['code']}" for each in case["actions"]]
    if case["has_card"]:
        lines.append(f"card     {_card_in_words(case)}")
    if case["now"]:
        lines.append(f"now      {case['now']['journey_state']}")
    if case["quarantined"]:
        lines.append(f"quarantined: {case['quarantined']['reason']}")
    settled = f"settled  {case['settled_at']} by {case['settled_by']}"
    lines.append(settled if case["settled_at"] else f"settle   {', '.join(case['may'])}")
    return "\n".join(lines)


def _act_in_words(act: Mapping[str, Any]) -> str:
    """An act that was not taken back."""
    states = f"{act['from_state']}→{act['to_state']}"
    return f"act      {act['action_id']}  {act['received_at']}  {states}  visit {act['visit_id']}  {act['why']}"


def _card_in_words(case: Mapping[str, Any]) -> str:
    if case["card_blocked"]:
        return "is blocked: it was reported lost"
    return "can be bound with --reassign PATIENT --bind" if case["may_bind"] else "cannot be bound: there are several"


_SHOWN_ABOVE = frozenset({"acts", "shown", "known", "happened_at", "time_quality", "action_type"})
