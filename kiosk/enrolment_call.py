"""The call that enrols this machine. It repeats itself, since the answer may be lost after the code was used up.

The centre answers a repeat with the same `attempt` again. The attempt is in a file until the enrolment is complete, so
the same command with the same code works again as well.
"""

import logging
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sync.agent.answers import may_have_arrived
from sync.agent.client import Accepted, CentralClient, NoAnswer
from sync.agent.route import Route
from sync.durable import erase, write_secret
from sync.protocol import CallRefused, Enrolment, EnrolRequest

log = logging.getLogger(__name__)

PAUSES_S = (1.0, 2.0, 4.0)  # before the second call, the third and the last


def read_attempt(path: Path) -> str:
    """The attempt of the present enrolment, 32 random bytes in hex. It is new where the file holds none.

    Where the file cannot be written, only a repeat within this command gets the same answer.
    """
    try:
        attempt = path.read_text("ascii").strip()
        if len(bytes.fromhex(attempt)) == secrets.DEFAULT_ENTROPY and attempt == attempt.lower():
            return attempt
    except (OSError, ValueError):
        pass  # there is none, or one that a crash has cut
    attempt = secrets.token_hex()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_secret(path, attempt.encode())
    except OSError as error:
        log.warning("%s cannot be written: %s", path, error.strerror)
    return attempt


def forget_attempt(path: Path) -> None:
    """Removes the attempt of an enrolment that is complete. A file that stays does no harm."""
    try:
        erase(path)
    except OSError as error:
        log.warning("%s cannot be removed: %s", path, error.strerror)


def ask_to_enrol(
    url: str, route: Route, request: EnrolRequest, file: Path, pauses_s: Sequence[float] = PAUSES_S
) -> Accepted[Enrolment] | CallRefused | NoAnswer:
    """Exchanges a code for an identity at the centre of a URL. `file` is the file of the attempt.

    Repeats the call after each pause while the answer of the centre may have been lost.
    """
    client, request = CentralClient(url, route=route), msgspec.structs.replace(request, attempt=read_attempt(file))
    try:
        outcome = client.enrol(request)
        for pause_s in pauses_s:
            if not isinstance(outcome, NoAnswer) or not may_have_arrived(outcome.reason):
                break
            time.sleep(pause_s)
            outcome = client.enrol(request)
        if isinstance(outcome, CallRefused):
            forget_attempt(file)  # no copy of this disk shall repeat it
        return outcome
    finally:
        client.close()
