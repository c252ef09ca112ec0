"""The commands for people: `accounts list`, `invite`, `disable`, `enable`, `unlock`, `reset` and `settings`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from sync.central.commands.options import Database, as_json_option, ask, on_database, print_json
from sync.central.records.duties import Duty
from sync.clock import iso

_DUTIES = click.Choice([each.value for each in Duty])
_login = click.argument("login", metavar="LOGIN")


@click.group("accounts")
def accounts() -> None:
    """The people who sign in, and how they do: docs/people.md.

    \b
    Examples:
      kiosk-central accounts list --database sqlite:///central.db
    """


@accounts.command("list")
@on_database
@as_json_option
def list_accounts(database: Database, as_json: bool) -> None:
    """List the people and the invitations: login name, name, duties, last sign-in, and what is the matter.

    \b
    Examples:
      kiosk-central accounts list --database sqlite:///central.db
    """
    found = ask(database, "accounts")
    if as_json:
        print_json(found)
        return
    for each in found["people"]:
        click.echo("  ".join(_person(each)))
    for each in found["invitations"]:
        name = each["name"] or "no name"
        click.echo(f"invitation  {name}  {', '.join(each['duties'])}  until {_time(each['expires_ms'])}")


@accounts.command("invite")
@on_database
@click.option("--duty", "duties", type=_DUTIES, multiple=True, required=True, help="What the person does; repeatable.")
@click.option("--name", default="", help="The person's name. The person may say it, too.")
@as_json_option
def invite(database: Database, duties: tuple[str, ...], name: str, as_json: bool) -> None:
    """Print a one-time code by which a person makes an account at /staff/welcome within 24 hours.

    \b
    Examples:
      kiosk-central accounts invite --database sqlite:///central.db --duty administrator
      kiosk-central accounts invite --database sqlite:///central.db --duty reception --duty exam_room --name "S. Lee"
    """
    _show_code(ask(database, "account-invite", duties=list(duties), name=name), as_json)


@accounts.command("disable")
@on_database
@_login
@as_json_option
def disable(database: Database, login: str, as_json: bool) -> None:
    """Let a person sign in no more, and end the person's sessions at once.

    \b
    Examples:
      kiosk-central accounts disable --database sqlite:///central.db lee.sy
    """
    _show(ask(database, "account-disable", login=login), as_json)


@accounts.command("enable")
@on_database
@_login
@as_json_option
def enable(database: Database, login: str, as_json: bool) -> None:
    """Let a person sign in again.

    \b
    Examples:
      kiosk-central accounts enable --database sqlite:///central.db lee.sy
    """
    _show(ask(database, "account-enable", login=login), as_json)


@accounts.command("unlock")
@on_database
@_login
@as_json_option
def unlock(database: Database, login: str, as_json: bool) -> None:
    """End the waits after wrong passwords of a person.

    \b
    Examples:
      kiosk-central accounts unlock --database sqlite:///central.db lee.sy
    """
    _show(ask(database, "account-unlock", login=login), as_json)


@accounts.command("reset")
@on_database
@_login
@as_json_option
def reset(database: Database, login: str, as_json: bool) -> None:
    """Take a person's password away, end the sessions, and print a one-time code for another password.

    \b
    Examples:
      kiosk-central accounts reset --database sqlite:///central.db lee.sy
    """
    _show_code(ask(database, "account-reset", login=login), as_json)


@accounts.command("settings")
@on_database
@click.option("--idle-minutes", type=click.IntRange(5, 720), help="A session ends so long after the last press.")
@click.option("--end-hours", type=click.IntRange(1, 24), help="A session ends so long after its beginning.")
@click.option("--provider", "issuer", metavar="URL", help="Single sign-on: the issuer of the OpenID provider.")
@click.option("--client-id", metavar="ID", help="What the provider calls this centre.")
@click.option(
    "--client-secret-file",
    "secret_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="F",
    help="A file with the secret of this centre at the provider.",
)
@click.option("--provider-name", "label", help="What the button of the sign-in calls the provider.")
@click.option("--claim", help="The claim that names a person's groups.  [default: groups]")
@click.option("--group", "groups", multiple=True, metavar="GROUP=DUTY", help="The duty of a group; repeatable.")
@click.option("--without-provider", is_flag=True, help="No single sign-on any more.")
@as_json_option
def settings(
    database: Database,
    idle_minutes: int | None,
    end_hours: int | None,
    issuer: str | None,
    client_id: str | None,
    secret_file: Path | None,
    label: str | None,
    claim: str | None,
    groups: tuple[str, ...],
    without_provider: bool,
    as_json: bool,
) -> None:
    """Show how people sign in, or change what is given: when sessions end, and the provider of single sign-on.

    \b
    Examples:
      kiosk-central accounts settings --database sqlite:///central.db --idle-minutes 30 --end-hours 10
      kiosk-central accounts settings --database sqlite:///central.db --provider https://id.example --client-id kiosk
      kiosk-central accounts settings --database sqlite:///central.db --group nurses=exam_room --group desk=reception
    """
    provider = {
        "issuer": issuer,
        "client_id": client_id,
        "client_secret": secret_file.read_text("utf-8").strip() if secret_file else None,
        "label": label,
        "claim": claim,
        "duties": _duties_of(groups) or None,
    }
    given = {name: value for name, value in provider.items() if value is not None}
    found = ask(
        database,
        "sign-in-settings",
        idle_minutes=idle_minutes,
        end_hours=end_hours,
        provider=given or None,
        without_provider=without_provider or None,
    )
    if as_json:
        print_json(found)
        return
    click.echo(f"a session ends {found['idle_minutes']} min after the last press, and after {found['end_hours']} h")
    click.echo(_provider(found["provider"]))


def _duties_of(groups: tuple[str, ...]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in groups:
        group, _, duty = each.rpartition("=")
        if not group or duty not in list(Duty):
            raise click.UsageError(f"{each!r} is not of the form GROUP=DUTY, with one of: {', '.join(Duty)}")
        found.setdefault(group, []).append(duty)
    return found


def _provider(provider: Mapping[str, Any] | None) -> str:
    if provider is None:
        return "no single sign-on"
    groups = "; ".join(f"{group}: {', '.join(duties)}" for group, duties in provider["duties"].items())
    return f"single sign-on at {provider['issuer']} as {provider['client_id']}, {provider['claim']}: {groups or 'none'}"


def _show_code(made: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    click.echo(made["code"])
    click.echo(f"good for one use at /staff/welcome until {_time(made['expires_ms'])}", err=True)


def _show(person: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(person)
    else:
        click.echo("  ".join(_person(person)))


def _person(person: Mapping[str, Any]) -> list[str]:
    matters: list[tuple[object, Callable[[], str]]] = [
        (person["is_disabled"], lambda: "DISABLED"),
        (person["locked_until_ms"], lambda: f"LOCKED until {_time(person['locked_until_ms'])}"),
        (person["code_id"], lambda: f"one-time code until {_time(person['code_expires_ms'])}"),
        (not person["has_password"] and not person["by_provider"], lambda: "no password"),
        (person["by_provider"], lambda: "single sign-on"),
    ]
    used = person["signed_in_ms"]
    return [
        person["login"],
        person["name"],
        ", ".join(person["duties"]),
        f"last sign-in {_time(used)}" if used is not None else "never signed in",
        *(say() for holds, say in matters if holds),
    ]


def _time(at_ms: int) -> str:
    return iso(at_ms, "UTC")


COMMANDS: tuple[click.Command, ...] = (accounts,)
