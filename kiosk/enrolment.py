"""Becomes the kiosk that the centre made of this box: secrets into files (0600), the rest into the store.

A code is good once, so the centre's answer is kept in a file of its own until the kiosk lives by it. The commit of the
identity is the turning point: what fails before it leaves the kiosk as it was, with its token and its keys; what is
left to do after it is done before the kiosk speaks again, if need be by the next start.
"""

import logging
import sqlite3
import threading
from pathlib import Path

import msgspec

from kiosk.config import Config
from kiosk.journey.journeys import Journeys
from sync.cards import CardHash, CardKeys, canonical_uid, read_keys, usable
from sync.clock import site_day
from sync.durable import prepare_secret, put_in_place, write_secret
from sync.journey.definitions import read as read_definitions
from sync.protocol import Enrolment

log = logging.getLogger(__name__)

FAILURES = (OSError, sqlite3.Error, ValueError, KeyError)  # by which an enrolment comes to nothing, or to nothing yet


class PendingEnrolment:
    """The way from the centre's answer to a kiosk that lives by it. May be called from any thread."""

    def __init__(self, config: Config, journeys: Journeys) -> None:
        self._config = config
        self._journeys = journeys
        self._lock = threading.Lock()

    def take(self, enrolment: Enrolment) -> None:
        """Becomes the kiosk of this answer. Raises one of FAILURES: then `keeps` tells whether `go_on` may do it later;
        until then this is the kiosk that it was."""
        _check(enrolment)
        with self._lock:
            self._finish()
            write_secret(self._config.enrolment_path, msgspec.json.encode(enrolment))
            self._go_on()

    def go_on(self) -> None:
        """Does what is left of an enrolment that was begun; as often as wanted. Raises one of FAILURES."""
        with self._lock:
            self._go_on()

    def keeps(self, enrolment: Enrolment) -> bool:
        """Whether this answer is kept, and the kiosk does not live by it yet."""
        try:
            return self._kept() == enrolment
        except OSError:
            return False

    def token(self) -> str:
        """The token of the kiosk that this is. Raises OSError where it is in no file, and cannot be put into one."""
        with self._lock:
            self._finish()
            return self._config.token_path.read_text("utf-8").strip()

    def _finish(self) -> None:
        """Where the identity has turned already, the secrets follow: with those of before it would be taken for another
        kiosk, and fenced."""
        kept = self._kept()
        if kept is not None and self._is(kept):
            self._go_on()

    def _go_on(self) -> None:
        kept = self._kept()
        if kept is None:
            return
        prepared = self._prepare(kept)
        try:
            if not self._is(kept):
                self._journeys.enrol(kept)
            for path, fresh in prepared.items():
                put_in_place(fresh, path)
        finally:
            for fresh in prepared.values():
                fresh.unlink(missing_ok=True)
        self._config.enrolment_path.unlink()

    def _prepare(self, kept: Enrolment) -> dict[Path, Path]:
        """Writes both secrets beside their places, so that nothing is left to fail for want of space or rights."""
        secrets = {
            self._config.token_path: kept.token.encode(),
            self._config.keys_path: msgspec.json.encode(kept.card_keys),
        }
        prepared: dict[Path, Path] = {}
        try:
            for path, content in secrets.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir():
                    raise IsADirectoryError(f"{path} is a directory")
                prepared[path] = prepare_secret(path, content)
        except OSError:
            for fresh in prepared.values():
                fresh.unlink(missing_ok=True)
            raise
        return prepared

    def _kept(self) -> Enrolment | None:
        path = self._config.enrolment_path
        try:
            return msgspec.json.decode(path.read_bytes(), type=Enrolment)
        except FileNotFoundError:
            return None
        except ValueError:
            # The parser's message could quote the token.
            log.error("the enrolment in %s cannot be read, and is left alone: it takes a new code", path)  # noqa: TRY400
            return None

    def _is(self, kept: Enrolment) -> bool:
        """Whether the identity has turned. No id is given twice by one incarnation of a centre, but where that was set
        back without noticing: it then has fenced off the kiosk that is enrolled again under its id."""
        identity = self._journeys.identity
        told = (kept.kiosk_id, kept.server_incarnation, None)
        return identity is not None and (identity.kiosk_id, identity.server_incarnation, identity.fenced_ms) == told


def why_not_settled(error: Exception, *, kept: bool) -> str:
    """Why an enrolment failed, in a line for the person at the command line, who needs another code unless the answer
    was kept."""
    # The message of an OSError names a file, the other messages could quote what the centre sent.
    why = str(error) if isinstance(error, OSError) else type(error).__name__
    then = "the next start of the kiosk goes on with it" if kept else "take a new code"
    return f"the enrolment could not be kept ({why}); set that right, and {then}"


def _check(enrolment: Enrolment) -> None:
    """Raises ValueError or KeyError where no kiosk could live by this answer."""
    read_definitions(enrolment.definitions)
    site_day(0, enrolment.site.timezone, enrolment.site.day_starts_at)
    if not usable(enrolment.card_keys):
        raise ValueError("no usable card key")


class SiteCards:
    """Turns a UID into its hashes under the site's keys, which are read once and again after an enrolment."""

    def __init__(self, config: Config) -> None:
        self._path = config.keys_path
        self._keys = CardKeys(())
        self.refresh()

    def refresh(self) -> None:
        """Reads the key file again. Without a usable one no card is known, and the log says why."""
        try:
            self._keys = read_keys(self._path)
        except FileNotFoundError:
            log.info("no card keys yet: they come with the enrolment")
        except (OSError, ValueError) as error:
            # The parser's message could quote the file.
            log.error("the card keys in %s cannot be used: %s", self._path, type(error).__name__)  # noqa: TRY400

    def hashes(self, uid: bytes) -> tuple[CardHash, ...]:
        """The card's hash under every key, newest first."""
        return self._keys.hashes(canonical_uid(uid))
