"""Watches a folder, and has the running service take each document that appears there."""

import errno
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec.structs import replace

from sync.central.documents.read_rows import Source
from sync.central.intake.folder import DONE, REFUSED, Folder, shown
from sync.central.intake.order import Order, Result
from sync.central.intake.take_document import take_document
from sync.clock import now_ms
from sync.control import ControlError, NotRunning, ask
from sync.ids import new_id

log = logging.getLogger(__name__)

_TURN_EVERY_S = 10.0
_NO_TURN = "another process works on the folder, or did within the last minute"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 300.0


@dataclass(slots=True)
class Watching:
    """The watching of one folder, by one process. `order` says how its documents are taken.

    `stop` is called often, and raises to stop. Of several hosts that share the folder, one works on it at a time.
    """

    folder: Folder
    order: Order
    stop: Callable[[], None]
    _holder: str = field(default_factory=new_id)
    _turn_s: float = -_TURN_EVERY_S
    _pause_s: float = 0.0
    _said: str = ""

    def step(self) -> float:
        """Takes the documents that are whole. Returns the seconds to wait until the next step.

        Raises what `stop` raises.
        """
        try:
            if not self._has_turn():
                self._say(_NO_TURN)
                return _TURN_EVERY_S
            for name in self.folder.whole(time.monotonic()):
                if not self._take(name):
                    return self._longer_pause()
            self._say("")
        except (OSError, NotRunning, ControlError) as error:
            self._say(_in_words(error))
            return self._longer_pause()
        self._pause_s = 0.0
        return 1.0

    def end(self) -> None:
        """Lets another host go on at once."""
        try:
            self._ask_for_turn(ends=True)
        except (OSError, NotRunning, ControlError):
            log.debug("the service does not answer: another host goes on within a minute")

    def _take(self, name: str) -> bool:
        """Takes one document, and puts it away. False where it has to be tried again later."""
        text = shown(name)
        result = self._result(name, text)
        if result.outcome == "failed" and not result.is_broken:
            self._say(f"{text}: {result.error}")
            return False
        into = DONE if result.report is not None and _took(result) else REFUSED
        report = msgspec.json.format(msgspec.json.encode({"file": text, **_shown(result)}), indent=2)
        place = self.folder.keep_report(name, into, now_ms(), report)
        is_unchanged = self.folder.is_unchanged(name)  # at the last moment: another document may have come in its place
        if is_unchanged:
            self.folder.put_away(name, place)
        else:
            self.folder.forget(name)
        refused = result.report.refused if result.report else 0
        log.info("%s: %s, %s rows refused; it is in %s", text, result.outcome, refused, into)
        if not is_unchanged:
            log.warning("%s was replaced or changed while it was read, and is taken again", text)
        return True

    def _result(self, name: str, text: str) -> Result:
        try:
            with self.folder.opened(name) as document:
                size = os.fstat(document.fileno()).st_size
                return take_document(Source(document, text, size), replace(self.order, name=text), self._check)
        except OSError as error:
            is_lasting = error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP)
            return Result("failed", f"it cannot be read: {error.strerror}", is_broken=is_lasting)

    def _check(self) -> None:
        self.stop()
        if not self._has_turn():
            raise ControlError(_NO_TURN)

    def _has_turn(self) -> bool:
        """Whether this process may work on the folder, which it asks the centre now and then."""
        if time.monotonic() - self._turn_s < _TURN_EVERY_S:
            return True
        has_turn = self._ask_for_turn(ends=False)
        if has_turn:
            self._turn_s = time.monotonic()
        return has_turn

    def _ask_for_turn(self, *, ends: bool) -> bool:
        folder_id = self.folder.folder_id()
        return bool(ask(Path(self.order.socket), "watch-turn", folder_id=folder_id, holder=self._holder, ends=ends))

    def _longer_pause(self) -> float:
        self._pause_s = min(max(self._pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        return self._pause_s

    def _say(self, trouble: str) -> None:
        """Logs a trouble once, and its end."""
        if trouble and trouble != self._said:
            log.warning("%s; it is tried again", trouble)
        elif self._said and not trouble:
            log.info("the folder is watched again")
        self._said = trouble


def _took(result: Result) -> bool:
    """Whether anything of the document counts now."""
    assert result.report is not None
    taken = any(each.changed or each.unchanged for each in result.report.rows.values())
    return taken and not result.report.checked_only


def _shown(result: Result) -> dict[str, object]:
    return {"outcome": result.outcome, "error": result.error, "report": result.report}


def _in_words(error: Exception) -> str:
    if isinstance(error, NotRunning):
        return "the service is not running"
    return str(error)
