"""The commands of `kiosk-central exceptions`: what waits for staff, one case of it, and how it is settled."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from sync.central.commands.options import ask, on_database
from sync.central.services.inbox_views import MAX_ROWS


@click.group()
def exceptions() -> None:
    """What kiosks did that the rules could not settle: list it, look at a case, settle one."""


@exceptions.command("list")
@on_database
@click.option("--after", metavar="CASE", help="Begin after this one.")
@click.option("--limit", type=click.IntRange(1, MAX_ROWS), default=MAX_ROWS, show_default=True, help="So many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_cases(url: str, keys: Path | None, after: str | None, limit: int, as_json: bool) -> None:
    """List the open cases, oldest first. How many more there are than are listed is said at the end."""
    answer = ask(url, keys, "exceptions", after=after, limit=limit)
    found, more = answer["exceptions"], answer["more"]
    if as_json:
        click.echo(_json(found))
    else:
        for each in found:
            click.echo(_line(each))
        click.echo(f"{len(found) + more} cases wait for staff" + (f" after {after}" if after else ""))
    if more:
        click.echo(f"{more} more: --after {found[-1]['exception_id']}", err=as_json)


@exceptions.command()
@on_database
@click.argument("exception_id", metavar="CASE")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def show(url: str, keys: Path | None, exception_id: str, as_json: bool) -> None:
    """Show a case: who, what, when, what the kiosk showed, what the centre knows."""
    found = ask(url, keys, "exception", exception_id=exception_id)
    click.echo(_json(found) if as_json else _in_words(found))


@exceptions.command()
@on_database
@click.argument("exception_id", metavar="CASE")
@click.option("--apply", "how", flag_value="apply", help="It counts, as it was done.")
@click.option("--discard", "how", flag_value="discard", help="It does not count; give a --reason.")
@click.option("--reassign", "patient_id", metavar="PATIENT", help="It was this patient's.")
@click.option("--reason", default="", help="Why.")
def settle(
    url: str, keys: Path | None, exception_id: str, how: str | None, patient_id: str | None, reason: str
) -> None:
    """Settle a case. Kiosks hear of the verdicts given anew with their next pull."""
    if (how is None) == (patient_id is None):
        raise click.UsageError("give one of --apply, --discard, --reassign PATIENT")
    told = ask(
        url,
        keys,
        "settle",
        exception_id=exception_id,
        how=how or "reassign",
        patient_id=patient_id,
        reason=reason,
    )
    for each in told["verdicts"]:
        click.echo(f"{each['action_id']}  {each['verdict']}  {each['code']}")
    click.echo(f"case {told['exception_id']}: {told['settled']}")


def _line(case: Mapping[str, Any]) -> str:
    what = case["detail"].get("action_type", "-")
    who = case["patient_id"] or "-"
    return (
        f"{case['exception_id']}  {case['opened_at']}  {case['code']:<16} {what:<16} {who}  {case['kiosk_id'] or '-'}"
    )


def _in_words(case: Mapping[str, Any]) -> str:
    patient, kiosk, detail = case["patient"], case["kiosk"], case["detail"]
    lines = [
        f"case     {case['exception_id']}, since {case['opened_at']}",
        f"reason   {case['code']}",
        f"patient  {patient['patient_id'] + ' ' + patient['masked_name'] if patient else 'nobody that is known'}",
        f"kiosk    {kiosk['kiosk_id'] + ' ' + kiosk['name'] if kiosk else '-'}",
    ]
    if "happened_at" in detail:
        lines.append(f"happened {detail['happened_at']} ({detail['time_quality']})")
    for title, name in (("kiosk showed", "shown"), ("centre knew", "known")):
        if name in detail:
            lines += [f"{title}:", *(f"  {key}: {value}" for key, value in detail[name].items())]
    lines += [f"  {key}: {value}" for key, value in detail.items() if key not in _TOLD]
    lines += [f"action   {each['action_id']}  {each['action_type']}  {each['code']}" for each in case["actions"]]
    if case["now"]:
        lines.append(f"now      {case['now']['journey_state']}")
    if case["quarantined"]:
        lines.append(f"set aside: {case['quarantined']['reason']}")
    settled = f"settled  {case['settled_at']} by {case['settled_by']}"
    lines.append(settled if case["settled_at"] else f"settle   {', '.join(case['may'])}")
    return "\n".join(lines)


_TOLD = frozenset({"shown", "known", "happened_at", "time_quality", "action_type"})


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
