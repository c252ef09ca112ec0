"""The command `kiosk`. Exit codes: 0 done, 1 failed, 2 bad input, 3 no daemon is running.

Each command imports only what it needs. Scripts call `status` and `tap` often, and the daemon's parts load slowly.
"""

import json
import logging
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
from sync.logs import log_to_stderr
from sync.protocol import CallRefused, Enrolment, EnrolRequest


class Failure(click.ClickException):
    """The command failed. The message is one line for the person at the command line."""

    exit_code = 1


class BadInput(Failure):
    """An argument or the configuration cannot be used. The message says what is wrong with it."""

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
    # A byte that is no UTF-8 comes as a lone surrogate, which cannot be sent.
    if not text.isprintable():
        raise BadInput("the code may hold printable characters only")
    return text


def _example(command: str, arguments: str = "") -> str:
    """Returns the end of a command's help; the \\b keeps click from joining the lines."""
    words = f"kiosk {command} --config /etc/nfc-kiosk/config.toml {arguments}".rstrip()
    return f"\b\nExample:\n  {words}"


with_config = click.option("--config", type=_config, required=True, metavar="FILE", help="The kiosk's config.toml.")
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.group(epilog="\b\nExample:\n  kiosk status --config /etc/nfc-kiosk/config.toml")
@click.version_option(package_name="nfc-kiosk")
def main() -> None:
    """The NFC check-in kiosk."""


@main.command(epilog=_example("run"))
@with_config
def run(config: Config) -> None:
    """Run the kiosk until SIGTERM or Ctrl-C."""
    from kiosk.daemon import Daemon

    log_to_stderr()
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # urllib3 warnings quote URLs; the agent logs failures itself
    stop_signal, failed = StopSignal(), threading.Event()
    _stop_after_a_dead_thread(stop_signal, failed)
    daemon = Daemon(config)
    try:
        daemon.start()
    except ConfigError as error:
        raise BadInput(str(error)) from error
    except (StoreError, OSError, ValueError) as error:
        raise Failure(str(error)) from error
    stop_signal.wait()
    daemon.stop()
    if failed.is_set():
        raise Failure("a part of the kiosk failed; the log names it")


@main.command(epilog=_example("tap", "04a1b2c3d4e5f6"))
@with_config
@click.argument("uid")
def tap(config: Config, uid: str) -> None:
    """Hold the card UID (hex, or TECHNOLOGY:HEX) to the running kiosk's simulated reader. Return after the commit."""
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


@main.command("status", epilog=_example("status", "--json"))
@with_config
@as_json_option
def status_command(config: Config, as_json: bool) -> None:
    """Show the state of this kiosk: centre, roster, outbox, readers."""
    report = _ask_daemon_or_file(
        config,
        "status",
        lambda db: status(db, running=False, online=False, reason="", readers=(), faults=("no daemon is running",)),
    )
    click.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else _status_in_words(report))


@main.command(epilog=_example("outbox"))
@with_config
@as_json_option
def outbox(config: Config, as_json: bool) -> None:
    """List every action of this kiosk, with its verdict."""
    rows = _ask_daemon_or_file(config, "outbox", outbox_rows)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(
            f"{row['seq']:>6}  {row['action_type']:<16} {row['status']:<12} {row['code'] or '':<16} {row['action_id']}"
        )
    click.echo(f"{sum(row['status'] == 'pending' for row in rows)} of {len(rows)} actions wait for the centre")


@main.command(epilog=_example("enroll", "--central https://checkin.hospital.example --code ABCDE-23456"))
@with_config
@click.option("--central", required=True, metavar="URL", help="The centre, such as https://checkin.hospital.example.")
@click.option("--code", type=_code, required=True, help="The code from `kiosk-central enroll-code`: it works once.")
def enroll(config: Config, central: str, code: str) -> None:
    """Enrol this machine as a kiosk of a centre. The daemon may be running."""
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
            _complete(config, enrolment)
        case CallRefused():
            raise BadInput(answer.error)
        case NoAnswer():
            raise Failure(f"the centre at {url} did not answer ({answer.reason})")
    click.echo(f"enrolled as {enrolment.kiosk_id} ({enrolment.name}), queue numbers from {enrolment.ticket_prefix}-001")
    if config.central.url.rstrip("/") != url:
        click.echo(f'set this in the configuration too: [central] url = "{url}"', err=True)


def _complete(config: Config, enrolment: Enrolment) -> None:
    """Completes an enrolment: in the daemon, or in this process where no daemon is running."""
    try:
        ask(socket_path(config.store_path), "enrol", enrolment=msgspec.to_builtins(enrolment))
    except NotRunning:
        _complete_without_daemon(config, enrolment)
    except (ControlError, OSError) as error:
        raise Failure(str(error)) from error


def _complete_without_daemon(config: Config, enrolment: Enrolment) -> None:
    from kiosk.enrolment import FAILURES, PendingEnrolment, describe_failure
    from kiosk.journey.ledger import Ledger
    from kiosk.journey.this_kiosk import ThisKiosk

    try:
        store = Store(config.store_path)
    except StoreError as error:
        raise Failure(str(error)) from error
    try:
        pending = PendingEnrolment(config, Ledger(ThisKiosk(store)))
        try:
            pending.complete(enrolment)
        except FAILURES as error:
            raise Failure(describe_failure(error, can_resume=pending.is_pending(enrolment))) from error
    finally:
        store.close()


def _ask_daemon_or_file(config: Config, op: str, read_file: Callable[[Any], Any]) -> Any:
    """Returns the daemon's answer; where no daemon is running, what `read_file` finds in the database."""
    try:
        return ask(socket_path(config.store_path), op)
    except NotRunning:
        pass
    except (ControlError, OSError) as error:
        raise Failure(str(error)) from error
    try:
        with peek(config.store_path) as db:
            return read_file(db)
    except StoreError as error:
        raise Failure(str(error)) from error


def _stop_after_a_dead_thread(stop_signal: StopSignal, failed: threading.Event) -> None:
    """Stops the daemon when one of its threads fails: an incomplete kiosk must not run. systemd starts it again."""
    log = logging.getLogger(__name__)

    def stop(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread else "a thread"
        log.critical("%s failed", name, exc_info=(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback))
        failed.set()
        stop_signal.send()

    threading.excepthook = stop


def _tap_in_words(answer: dict[str, Any]) -> str:
    words = {
        "journey": f"accepted: {answer['journey_state']}",
        "unknown_card": "read, but no patient has this card: the screen offers a check-in",
        "refused_card": f"refused: {answer['reason']}",
        "out_of_order": f"not accepted: the kiosk is out of order: {answer['reason']}",
        "attract": "read, but the screen has gone back to its start already",
    }
    return words[answer["screen"]]


def _status_in_words(report: dict[str, Any]) -> str:
    kiosk = report["kiosk"]
    name = f"{kiosk['id']} ({kiosk['name']})" if kiosk else "not enrolled yet: kiosk enroll"
    centre = "online" if report["online"] else f"offline ({report['sync_error'] or 'no answer yet'})"
    readers = [f"reader   {r['name']}: {r['state']} {r['detail']}".rstrip() for r in report["readers"]]
    return "\n".join(
        [
            f"kiosk    {name}",
            f"daemon   {'running' if report['running'] else 'not running'}",
            f"centre   {centre}",
            *(["enrol    the centre does not accept this kiosk: kiosk enroll"] if report["fenced"] else []),
            f"roster   {report['roster']['patients']} patients, as of {report['roster']['as_of'] or 'never'}",
            f"outbox   {report['outbox']['pending']} waiting of {report['outbox']['total']}",
            *readers,
            *(f"card     refused, of unknown form: {_form_in_words(form)}" for form in report["unknown_forms"]),
            *(f"fault    {fault}" for fault in report["faults"]),
        ]
    )


def _form_in_words(form: dict[str, Any]) -> str:
    technology = form["technology"] or "technology not known"
    return f"{form['atr']} ({technology}, id of {form['id_bytes']} bytes), seen: {form['count']}, last {form['last']}"
