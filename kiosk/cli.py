"""The command `kiosk`. Exit codes: 0 done, 1 failed, 2 bad input, 3 no daemon is running.

Each command imports only what it needs. Scripts call `status` and `tap` often, and the daemon's parts load slowly.
"""

import gc
import json
import logging
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec

from kiosk.addresses import ConfigError, check_central_url
from kiosk.appliance.disk import kept_faults, room_faults
from kiosk.appliance.status import outbox_rows, status
from kiosk.config import Config, read_config
from kiosk.enrol_code import NoCode, read_code
from kiosk.signals import StopSignal
from kiosk.store.old_site import Kept, UnknownAction, read_kept, set_aside
from kiosk.store.sqlite import Store, StoreError, peek
from kiosk.uid import NoUid, parse_uid
from sync.control import ControlError, NotPermitted, NotRunning, Unanswered, ask, socket_path
from sync.logs import log_to_stderr
from sync.protocol import PROTOCOL_VERSION, CallRefused, EndCode, Enrolment, EnrolRequest

_LONG_S = 600.0  # for operations on a backlog of weeks


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


def _example(command: str, arguments: str = "") -> str:
    """Returns the end of a command's help; the \\b keeps click from joining the lines."""
    words = f"kiosk {command} --config /etc/nfc-kiosk/config.toml {arguments}".rstrip()
    return f"\b\nExample:\n  {words}"


def _absolute(path: Path | None) -> Path | None:
    # The daemon, which writes the file, has a working directory of its own.
    return path.absolute() if path else None


aside_option = click.option(
    "--set-aside",
    "aside",
    type=click.Path(path_type=Path),
    callback=lambda _context, _option, path: _absolute(path),
    metavar="FILE",
    help="Write the actions that only this kiosk is sure to have into FILE. It holds ids of patients.",
)
with_config = click.option("--config", type=_config, required=True, metavar="FILE", help="The kiosk's config.toml.")
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.group(epilog="\b\nExample:\n  kiosk status --config /etc/nfc-kiosk/config.toml")
@click.version_option(package_name="nfc-kiosk", message=f"%(prog)s %(version)s, protocol_version {PROTOCOL_VERSION}")
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
    gc.freeze()  # what the start has made stays: a collection of all objects would halt a tap for its sake
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


@main.command("page-url", epilog=_example("page-url"))
@with_config
def page_url(config: Config) -> None:
    """Print a URL that opens the touch screen of the running kiosk once, within ten minutes.

    The daemon's user, the members of its group and root may ask.
    """
    path = config.page_socket_path
    try:
        url = ask(path, "page-url")
    except NotRunning as error:
        raise NoDaemon("no kiosk is running with this configuration") from error
    except NotPermitted as error:
        raise Failure(f"{path}: only the daemon's user, the members of its group and root may ask") from error
    except (ControlError, OSError) as error:
        raise Failure(str(error)) from error
    click.echo(url)


@main.command("status", epilog=_example("status", "--json"))
@with_config
@as_json_option
def status_command(config: Config, as_json: bool) -> None:
    """Show the state of this kiosk: centre, roster, outbox, readers."""
    report = _ask_daemon_or_file(config, "status", partial(_offline_status, config.store_path))
    click.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else _status_in_words(report))


@main.command(epilog=_example("outbox"))
@with_config
@as_json_option
@aside_option
@click.option("--action", "actions", multiple=True, metavar="ID", help="Set only this action aside; repeatable.")
def outbox(config: Config, as_json: bool, aside: Path | None, actions: tuple[str, ...]) -> None:
    """List every action of this kiosk, with its verdict."""
    if actions and not aside:
        raise BadInput("--action says what goes into the file of --set-aside FILE, and no FILE is named")
    if aside:
        _set_aside(config, aside, actions)
    rows = _ask_daemon_or_file(config, "outbox", outbox_rows)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(
            f"{row['seq']:>6}  {row['action_type']:<16} {_outbox_status(row):<12} {row['code'] or '':<16}"
            f" {row['action_id']}"
        )
    click.echo(f"{sum(row['status'] == 'pending' for row in rows)} of {len(rows)} actions wait for the centre")


@main.command(epilog=_example("enroll", "--central https://checkin.hospital.example"))
@with_config
@click.option("--central", required=True, metavar="URL", help="The centre, such as https://checkin.hospital.example.")
@click.option("--code", help="The code from `kiosk-central enroll-code`; asked for if not given.")
@aside_option
def enroll(config: Config, central: str, code: str | None, aside: Path | None) -> None:
    """Enrol this machine as a kiosk of a centre. The daemon may be running.

    A kiosk that goes to another hospital forgets everything of the present one. What it has not sent there goes into
    the file of --set-aside, for `kiosk-central take-in` at that hospital.

    Other processes can read --code. Without it the command asks, or reads a line of standard input.
    """
    from kiosk.enrolment_call import ask_to_enrol, forget_attempt
    from kiosk.route import route_to_centre
    from sync.agent.answers import advised
    from sync.agent.client import ENROL_PATH, Accepted, NoAnswer
    from sync.agent.route import UnusableFile

    route = route_to_centre(config.central)
    try:
        url = check_central_url(central, config.central.plain_http, config.central.proxy)
        route.check()
        code = read_code(code)
    except (ConfigError, UnusableFile, NoCode) as error:
        raise BadInput(str(error)) from error
    wish, (site_id, kept) = config.kiosk, _present_site(config)
    if aside:
        # Before the code is used up: a disk without space or a wrong path costs no code.
        _set_aside(config, aside)
    request = EnrolRequest(
        code=code,
        site_id=site_id,
        kept=kept.number if kept and not aside else 0,
        kiosk_id=wish.id,
        name=wish.name,
        ticket_prefix=wish.ticket_prefix,
        actions=wish.actions,
        sealed=True,
    )
    match ask_to_enrol(url, route, request, config.attempt_path):
        case Accepted(enrolment):
            file = _complete(config, enrolment, aside)
            forget_attempt(config.attempt_path)
        case CallRefused(code=EndCode.OTHER_SITE) if kept:
            raise Failure(f"{kept.words}. The code is still good")
        case CallRefused(error=words):
            raise BadInput(words)
        case NoAnswer(reason=reason):
            raise Failure(f"no usable answer from the centre at {url}: {advised(reason, ENROL_PATH)}")
    click.echo(f"enrolled as {enrolment.kiosk_id} ({enrolment.name}), queue numbers from {enrolment.ticket_prefix}-001")
    if file and file != str(aside):
        click.echo(f"{file} holds the actions as well: the kiosk went on while it was enrolled", err=True)
    if config.central.url.rstrip("/") != url:
        click.echo(f'set this in the configuration too: [central] url = "{url}"', err=True)


def _outbox_status(row: dict[str, Any]) -> str:
    return "refused" if row["status"] == "pending" and row["parked_ms"] is not None else str(row["status"])


def _present_site(config: Config) -> tuple[str, Kept | None]:
    """The id of the site that this machine belongs to (empty: none), and what it keeps for the site."""
    if not config.store_path.exists():
        return "", None
    site = _ask_daemon_or_file(config, "status", partial(_offline_status, config.store_path))["site"]
    kept = _ask_daemon_or_file(config, "kept", read_kept)
    return site["site_id"] if site else "", Kept(**kept) if isinstance(kept, dict) else kept


def _set_aside(config: Config, file: Path, actions: tuple[str, ...] = ()) -> None:
    """Has the kept actions, or those of these ids, written into a file, and says so."""
    path = socket_path(config.store_path)
    try:
        written = ask(path, "set-aside", _LONG_S, file=str(file), actions=list(actions))
    except NotRunning:
        written = _set_aside_without_daemon(config, file, actions)
    except (ControlError, OSError) as error:
        raise Failure(str(error)) from error
    if written:
        chosen = "the actions that were named" if actions else "the actions that only this kiosk is sure to have"
        said = "it holds ids of patients; kiosk-central take-in at their hospital takes it in"
        click.echo(f"{file} has {chosen}: {said}", err=True)
    else:
        click.echo("there is nothing to set aside", err=True)


def _set_aside_without_daemon(config: Config, file: Path, actions: tuple[str, ...]) -> bool:
    if not config.store_path.exists():
        return False
    try:
        with peek(config.store_path) as db:
            return set_aside(db, file, actions)
    except (StoreError, OSError, UnknownAction) as error:
        raise Failure(str(error)) from error


def _complete(config: Config, enrolment: Enrolment, aside: Path | None) -> str | None:
    """Completes an enrolment: in the daemon, or in this process where no daemon is running.

    Returns the file with the actions of the site that the kiosk has left, or None.
    """
    arguments = {"enrolment": msgspec.to_builtins(enrolment), "set_aside": str(aside) if aside else None}
    try:
        file: str | None = ask(socket_path(config.store_path), "enrol", _LONG_S, **arguments)["set_aside"]
    except NotRunning:
        file = _complete_without_daemon(config, enrolment, aside)
    except (Unanswered, TimeoutError) as error:
        raise Failure(
            f"{error}. It may have enrolled this machine as {enrolment.kiosk_id}: when it runs again, kiosk status"
            " shows its id and its site. If they are the former ones, use a new code"
        ) from error
    except (ControlError, OSError) as error:
        raise Failure(str(error)) from error
    return file


def _complete_without_daemon(config: Config, enrolment: Enrolment, aside: Path | None) -> str | None:
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
            file = pending.complete(enrolment, aside)
        except FAILURES as error:
            raise Failure(describe_failure(error, can_resume=pending.is_pending(enrolment))) from error
        return str(file) if file else None
    finally:
        store.close()


def _offline_status(path: Path, db: sqlite3.Connection) -> dict[str, Any]:
    faults = ("no daemon is running", *kept_faults(path, db), *room_faults(path))
    return status(db, running=False, online=False, reason="", readers=(), faults=faults)


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
    unknown = "no patient has this card" if answer["lookup"] == "unknown" else "the card cannot be looked up now"
    words = {
        "journey": f"accepted: {answer['journey_state']}",
        "unknown_card": f"read, but {unknown}: the screen offers a check-in",
        "refused_card": f"refused: {answer['reason']}",
        "desk_card": "read for the desk: nobody is checked in by it",
        "out_of_order": f"not accepted: the kiosk is out of order: {answer['reason']}",
        "attract": "read, but the screen has gone back to its start already",
    }
    return words[answer["screen"]]


def _status_in_words(report: dict[str, Any]) -> str:
    kiosk = report["kiosk"]
    name = f"{kiosk['id']} ({kiosk['name']})" if kiosk else "not enrolled yet: kiosk enroll"
    error = report["sync_error"]
    centre = (
        f"online{f', but: {error}' if error else ''}" if report["online"] else f"offline ({error or 'no answer yet'})"
    )
    readers = [f"reader   {r['name']}: {r['state']} {r['detail']}".rstrip() for r in report["readers"]]
    return "\n".join(
        [
            f"kiosk    {name}",
            *([f"site     {report['site']['name']} ({report['site']['site_id']})"] if report["site"] else []),
            f"daemon   {'running' if report['running'] else 'not running'}",
            f"centre   {centre}",
            *(["enrol    the centre has ended this kiosk: kiosk enroll"] if report["ended"] else []),
            f"roster   {report['roster']['patients']} patients, as of {report['roster']['as_of'] or 'never'}",
            f"outbox   {_outbox_in_words(report['outbox'])}",
            *readers,
            *(f"card     lies at {name}" for name in report["fields"]),
            *(f"card     refused, of unknown form: {_form_in_words(form)}" for form in report["unknown_forms"]),
            *(f"fault    {fault}" for fault in report["faults"]),
        ]
    )


def _outbox_in_words(outbox: dict[str, Any]) -> str:
    since = f", since {outbox['waiting_since']}" if outbox["waiting_since"] else ""
    return f"{outbox['pending']} waiting of {outbox['total']}{since}"


def _form_in_words(form: dict[str, Any]) -> str:
    technology = form["technology"] or "technology not known"
    return f"{form['atr']} ({technology}, id of {form['id_bytes']} bytes), seen: {form['count']}, last {form['last']}"
