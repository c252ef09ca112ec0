"""The command `kiosk`. Exit codes: 0 done, 1 it could not be done, 2 bad input, 3 no daemon is running.

What only one command needs is imported there: scripts ask `status` and `tap` often, and the daemon's parts take long.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from kiosk.appliance.status import outbox_rows, status
from kiosk.config import Config, ConfigError, check_central_url, read_config
from kiosk.signals import StopSignal
from kiosk.store.sqlite import Store, StoreError, peek
from kiosk.uid import NoUid, parse_uid
from sync.control import ControlError, NotRunning, ask, socket_path
from sync.protocol import CallRefused, Enrolment, EnrolRequest


class Failure(click.ClickException):
    """One line for the person at the command line."""

    exit_code = 1


class BadInput(Failure):
    """What was given cannot be used; the line says what is wrong with it."""

    exit_code = 2


class NoDaemon(Failure):
    """No daemon runs with this configuration."""

    exit_code = 3


def _config(path: str) -> Config:
    try:
        return read_config(Path(path))
    except ConfigError as error:
        raise BadInput(str(error)) from error


def _code(text: str) -> str:
    # A byte that is no UTF-8 comes as half a character, which cannot be sent.
    if not text.isprintable():
        raise BadInput("the code has characters that no code has")
    return text


with_config = click.option("--config", type=_config, required=True, metavar="FILE", help="The kiosk's config.toml.")


@click.group()
@click.version_option(package_name="nfc-kiosk")
def main() -> None:
    """The NFC check-in kiosk."""


@main.command()
@with_config
def run(config: Config) -> None:
    """Run the kiosk until SIGTERM or Ctrl-C."""
    from kiosk.daemon import Daemon

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings quote URLs; the agent says what matters
    ending, failed = StopSignal(), threading.Event()
    _end_with_a_dead_thread(ending, failed)
    daemon = Daemon(config)
    try:
        daemon.start()
    except ConfigError as error:
        raise BadInput(str(error)) from error
    except (StoreError, OSError, ValueError) as error:
        raise Failure(str(error)) from error
    ending.wait()
    daemon.stop()
    if failed.is_set():
        raise Failure("a part of the kiosk died; the log says which")


@main.command()
@with_config
@click.argument("uid")
def tap(config: Config, uid: str) -> None:
    """Hold the card UID (hex) to the running kiosk's simulated reader. Returns after the commit."""
    try:
        parse_uid(uid)
        answer = ask(socket_path(config.store_path), "tap", uid=uid)
    except NotRunning as error:
        raise NoDaemon("no kiosk is running with this configuration") from error
    except NoUid as error:
        raise BadInput(str(error)) from error
    except (ControlError, OSError) as error:
        raise Failure(str(error)) from error
    click.echo(_tap_in_words(answer))
    if answer["screen"] in {"refused_card", "out_of_order"}:
        raise SystemExit(1)


@main.command("status")
@with_config
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status_command(config: Config, as_json: bool) -> None:
    """Say how this kiosk is: centre, roster, outbox, readers."""
    told = _of_daemon_or_file(
        config,
        "status",
        lambda db: status(db, running=False, online=False, reason="", readers=(), faults=("no daemon is running",)),
    )
    click.echo(json.dumps(told, indent=2, ensure_ascii=False) if as_json else _status_in_words(told))


@main.command()
@with_config
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def outbox(config: Config, as_json: bool) -> None:
    """List every action that was taken here, and what became of it."""
    told = _of_daemon_or_file(config, "outbox", outbox_rows)
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for row in told:
        click.echo(
            f"{row['seq']:>6}  {row['action_type']:<16} {row['status']:<12} {row['code'] or '':<16} {row['action_id']}"
        )
    click.echo(f"{sum(row['status'] == 'pending' for row in told)} of {len(told)} actions wait for the centre")


@main.command()
@with_config
@click.option("--central", required=True, metavar="URL", help="The centre, such as https://checkin.hospital.example.")
@click.option("--code", type=_code, required=True, help="What `kiosk-central enroll-code` printed: good once.")
def enroll(config: Config, central: str, code: str) -> None:
    """Make this box a kiosk of a centre. Works beside the running kiosk too."""
    from sync.agent.client import Accepted, CentralClient, NoAnswer

    try:
        url = check_central_url(central, config.central.plain_http)
    except ConfigError as error:
        raise BadInput(str(error)) from error
    wish = config.kiosk
    request = EnrolRequest(
        code=code, kiosk_id=wish.id, name=wish.name, ticket_prefix=wish.ticket_prefix, actions=wish.actions
    )
    client = CentralClient(url)
    answer = client.enrol(request)
    client.close()
    match answer:
        case Accepted(enrolment):
            _become(config, enrolment)
        case CallRefused():
            raise BadInput(answer.error)
        case NoAnswer():
            raise Failure(f"the centre at {url} did not answer ({answer.reason})")
    click.echo(f"enrolled as {enrolment.kiosk_id} ({enrolment.name}), tickets {enrolment.ticket_prefix}-001 and on")
    if config.central.url.rstrip("/") != url:
        click.echo(f'say so in the configuration too: [central] url = "{url}"', err=True)


def _become(config: Config, enrolment: Enrolment) -> None:
    try:
        ask(socket_path(config.store_path), "enrol", enrolment=msgspec.to_builtins(enrolment))
    except NotRunning:
        _settle_in(config, enrolment)
    except (ControlError, OSError) as error:
        raise Failure(str(error)) from error


def _settle_in(config: Config, enrolment: Enrolment) -> None:
    from kiosk.enrolment import FAILURES, PendingEnrolment, why_not_settled
    from kiosk.journey.journeys import Journeys

    try:
        store = Store(config.store_path)
    except StoreError as error:
        raise Failure(str(error)) from error
    try:
        settlement = PendingEnrolment(config, Journeys(store))
        try:
            settlement.take(enrolment)
        except FAILURES as error:
            raise Failure(why_not_settled(error, kept=settlement.keeps(enrolment))) from error
    finally:
        store.close()


def _of_daemon_or_file(config: Config, op: str, of_file: Callable[[Any], Any]) -> Any:
    """What the daemon says; where none runs, what stands in the database."""
    try:
        return ask(socket_path(config.store_path), op)
    except NotRunning:
        pass
    except (ControlError, OSError) as error:
        raise Failure(str(error)) from error
    try:
        with peek(config.store_path) as db:
            return of_file(db)
    except StoreError as error:
        raise Failure(str(error)) from error


def _end_with_a_dead_thread(ending: StopSignal, failed: threading.Event) -> None:
    """A thread that dies must not leave half a kiosk standing: the daemon ends with it and is started again."""
    log = logging.getLogger(__name__)

    def end(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread else "a thread"
        log.critical("%s died", name, exc_info=(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback))
        failed.set()
        ending.come()

    threading.excepthook = end


def _tap_in_words(answer: dict[str, Any]) -> str:
    words = {
        "journey": f"accepted: {answer['journey_state']}",
        "unknown_card": "read, and bound to nobody here: the screen offers a check-in",
        "refused_card": f"refused: {answer['reason']}",
        "out_of_order": f"not taken, the kiosk is out of order: {answer['reason']}",
        "attract": "read; nobody is on the screen any more",
    }
    return words[answer["screen"]]


def _status_in_words(told: dict[str, Any]) -> str:
    kiosk = told["kiosk"]
    name = f"{kiosk['id']} ({kiosk['name']})" if kiosk else "not enrolled yet: kiosk enroll"
    centre = "online" if told["online"] else f"offline ({told['sync_error'] or 'no answer yet'})"
    readers = [f"reader   {r['name']}: {r['state']} {r['detail']}".rstrip() for r in told["readers"]]
    return "\n".join(
        [
            f"kiosk    {name}",
            f"daemon   {'running' if told['running'] else 'not running'}",
            f"centre   {centre}",
            *(["enrol    the centre has ended this kiosk: kiosk enroll"] if told["fenced"] else []),
            f"roster   {told['roster']['patients']} patients, as of {told['roster']['as_of'] or 'never'}",
            f"outbox   {told['outbox']['pending']} waiting of {told['outbox']['total']}",
            *readers,
            *(f"fault    {fault}" for fault in told["faults"]),
        ]
    )
