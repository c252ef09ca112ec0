"""Makes this machine the kiosk of an enrolment: secrets go into files (0600), the rest into the store.

An enrolment code works once, so the centre's answer stays in a file of its own until the kiosk uses it. The commit of
the identity is the turning point. A failure before it leaves the kiosk unchanged, with its token and its keys. The
steps after it are completed before the kiosk contacts the centre again, if need be at the next start.
"""

import logging
import sqlite3
import threading
from pathlib import Path

import msgspec

from kiosk.config import Config
from kiosk.journey.ledger import Ledger, WouldLose
from kiosk.store.identity import token_hash
from sync.cards import usable
from sync.clock import site_day
from sync.durable import erase, prepare_secret, put_in_place, write_secret
from sync.journey.definitions import read as parse_definitions
from sync.protocol import Enrolment

log = logging.getLogger(__name__)

# A centre that was restored from a backup may know a former token alone. There is a new one each month, and each time
# that an operator asks for it.
TOKENS_KEPT = 4
FAILURES = (OSError, sqlite3.Error, ValueError, KeyError)  # what `PendingEnrolment` raises


class EnrolmentFile(msgspec.Struct, frozen=True):
    """The file of an enrolment that is not complete: the centre's answer, and the file for the old site's actions."""

    enrolment: Enrolment
    set_aside: str = ""

    @property
    def aside(self) -> Path | None:
        """The file for the old site's actions; None where none was named."""
        return Path(self.set_aside) if self.set_aside else None


class PendingEnrolment:
    """An enrolment that the centre has answered and the kiosk does not use yet. Safe from any thread."""

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._config = config
        self._ledger = ledger
        self._lock = threading.Lock()

    def complete(self, enrolment: Enrolment, aside: Path | None = None) -> Path | None:
        """Makes this machine the kiosk of an enrolment. Raises one of FAILURES; the kiosk is unchanged then.

        At another site the actions of the present one go into the file `aside`, or into one beside it. Returns the path
        of that file, or None. After a failure `is_pending` says whether `resume` can complete the enrolment later.
        """
        _check(enrolment)
        with self._lock:
            self._finish_begun()
            self._ledger.check_move(enrolment, aside)
            waiting = EnrolmentFile(enrolment, str(aside) if aside else "")
            write_secret(self._config.enrolment_path, msgspec.json.encode(waiting))
            return self._resume()

    def resume(self) -> None:
        """Completes an enrolment that was interrupted, if there is one. Raises one of FAILURES."""
        with self._lock:
            self._resume()

    def is_pending(self, enrolment: Enrolment) -> bool:
        """Whether this enrolment is in its file, and incomplete."""
        try:
            waiting = self._read_file()
        except OSError:
            return False
        return waiting is not None and waiting.enrolment == enrolment

    def tokens(self) -> tuple[str, ...]:
        """Returns the tokens of this kiosk, newest first. Raises OSError where the file cannot be written or read."""
        with self._lock:
            self._finish_begun()
            return self._read_tokens()

    def add_token(self, token: str, asked_with: str | None) -> None:
        """Saves a newer token, durably and before the former ones. `asked_with` is the hash of the token of the call.

        Nothing happens where that token is none of this kiosk: it was enrolled meanwhile. Raises OSError, and the file
        is unchanged then.
        """
        with self._lock:
            self._finish_begun()
            tokens = self._read_tokens()
            if any(token_hash(each) == asked_with for each in tokens):
                kept = [token, *tokens][:TOKENS_KEPT]
                write_secret(self._config.token_path, "\n".join(kept).encode())

    def _read_tokens(self) -> tuple[str, ...]:
        return tuple(self._config.token_path.read_text("utf-8").split())

    def erase_ended(self) -> bool:
        """Erases the token, the card keys and the traces of patients of a kiosk that the centre has ended.

        Returns False for any other kiosk, of which nothing is erased. Raises OSError or sqlite3.Error; it may be called
        again then.
        """
        with self._lock:
            # Under the lock: a new enrolment may have begun meanwhile, and its secrets stay.
            identity = self._ledger.identity
            if identity is None or identity.ended_ms is None:
                return False
            for path in (self._config.token_path, self._config.keys_path):
                erase(path)
            self._ledger.erase_traces()
            return True

    def _finish_begun(self) -> None:
        """Writes the secrets of an enrolment whose identity is committed. With the old token the centre would take
        this machine for another kiosk, and not know it."""
        waiting = self._read_file()
        if waiting is not None and self._is_committed(waiting.enrolment):
            self._resume()

    def _resume(self) -> Path | None:
        waiting = self._read_file()
        if waiting is None:
            return None
        prepared, file = self._prepare_secrets(waiting.enrolment), None
        try:
            if not self._is_committed(waiting.enrolment):
                file = self._ledger.enrol(waiting.enrolment, waiting.aside)
                if file:
                    log.warning("the actions of the hospital that this kiosk has left are in %s", file)
            for path, new_file in prepared.items():
                put_in_place(new_file, path)
        except WouldLose:
            # The next start would meet the same actions, or none of them, long after the operator has gone.
            self._config.enrolment_path.unlink()
            raise
        finally:
            for new_file in prepared.values():
                new_file.unlink(missing_ok=True)
        self._config.enrolment_path.unlink()
        return file

    def _prepare_secrets(self, enrolment: Enrolment) -> dict[Path, Path]:
        """Writes token and keys beside their places, so that nothing fails later for lack of space or rights.

        Returns the new file of each place. Raises OSError, with no new file left.
        """
        secrets = {
            self._config.token_path: enrolment.token.encode(),
            self._config.keys_path: msgspec.json.encode(enrolment.card_keys),
        }
        prepared: dict[Path, Path] = {}
        try:
            for path, content in secrets.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir():
                    raise IsADirectoryError(f"{path} is a directory")
                prepared[path] = prepare_secret(path, content)
        except OSError:
            for new_file in prepared.values():
                new_file.unlink(missing_ok=True)
            raise
        return prepared

    def _read_file(self) -> EnrolmentFile | None:
        path = self._config.enrolment_path
        try:
            return msgspec.json.decode(path.read_bytes(), type=EnrolmentFile)
        except FileNotFoundError:
            return None
        except ValueError:
            # Without the message of the parser, which could quote the token.
            log.error("the enrolment in %s cannot be read; run kiosk enroll with a new code", path)  # noqa: TRY400
            return None

    def _is_committed(self, enrolment: Enrolment) -> bool:
        """Whether the identity of an enrolment is in the store.

        Its token tells. A centre that an undetected restore set back may give the same kiosk id twice.
        """
        identity = self._ledger.identity
        return identity is not None and identity.token_sha256 == token_hash(enrolment.token)


def describe_failure(error: Exception, *, can_resume: bool) -> str:
    """Returns why an enrolment failed, in a line for the person at the command line.

    The line asks for a new code, unless the enrolment can be resumed.
    """
    if isinstance(error, WouldLose):
        return f"{error}. The code is used up: use a new one"
    # The message of an OSError names a file; other messages could quote the answer of the centre.
    reason = str(error) if isinstance(error, OSError) else type(error).__name__
    next_step = "the next start of the kiosk goes on with it" if can_resume else "use a new code"
    return f"the enrolment could not be saved ({reason}). Correct this; then {next_step}"


def _check(enrolment: Enrolment) -> None:
    """Raises ValueError or KeyError where a kiosk could not use an enrolment."""
    parse_definitions(enrolment.definitions)
    site_day(0, enrolment.site.timezone, enrolment.site.day_starts_at)
    if not usable(enrolment.card_keys):
        raise ValueError("no usable card key")
