"""The lines as one worker reads them for all its boards: a change costs one reading, however many boards are open.

The boards of the same exams share what they are told, as JSON. A thread of its own reads what has changed once news has
come. It lives while a board is open.
"""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.site import NoSite
from sync.central.services.board import board_of, exams_of, update_of
from sync.central.services.board_picture import Picture, Step, next_picture
from sync.central.services.board_reading import read_after
from sync.central.services.errors import NO_EXAM, ApiError
from sync.central.services.told import AboutNobody, Told

log = logging.getLogger(__name__)

ENDED_TOLD = 20  # entries that have ended, which a board is told of where it does not say how many
_GATHER_S = 0.01  # after the first news: what belongs together is committed by then, and its senders have their answers
_PAUSE_S = 0.04  # between two readings, so that a burst of changes becomes a few messages
_PAUSE_A_BOARD_S = 0.0002
_LOOK_AGAIN_S = 15.0  # without news: a day of the site may have ended, and words of an exam may have changed
_STEPS_KEPT = 64  # a board that is further behind is told the whole


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole board as JSON already, and the version of its picture."""

    told: Told
    version: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new for a board, as JSON already, and the version of the picture that it leads to.

    `told` is None where that picture is the same for the board.
    """

    told: Told | None
    version: int


class BoardFeed:
    """The lines as the boards of a worker share them. Safe from any thread."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._reading = threading.Lock()
        self._picture: Picture | None = None
        self._steps: deque[Step] = deque(maxlen=_STEPS_KEPT)
        self._made: dict[tuple[object, ...], Told | None] = {}
        self._state = threading.Condition()
        self._boards: dict[object, Callable[[], None]] = {}
        self._has_news = False
        self._closed = False
        self._trouble: sqlite3.OperationalError | NoSite | None = None
        self._thread: threading.Thread | None = None
        centre.store.news.follow(self._hear, self.close)

    def exams(self) -> AboutNobody:
        """Every exam, with its numbers of now. Raises sqlite3.OperationalError, and NoSite."""
        with self._reading:
            return AboutNobody(exams_of(self._read()))

    def board(self, exam_ids: Sequence[str], ended: int = ENDED_TOLD) -> Whole | ApiError:
        """The whole board of these exams as it is now; of all exams where none is named.

        Raises sqlite3.OperationalError, and NoSite.
        """
        with self._reading:
            picture = self._read()
            if any(each not in picture.exams for each in exam_ids):
                return NO_EXAM
            watched = tuple(exam_ids) or tuple(picture.exams)
            told = self._once(("board", watched, ended), lambda: board_of(picture, watched, ended))
            assert told is not None
            return Whole(told, picture.version)

    def since(self, version: int, exam_ids: Sequence[str]) -> Whole | Changes | ApiError:
        """What is new for a board that was told the picture of a version.

        It reads nothing. Raises sqlite3.OperationalError, or NoSite, where the last reading has failed.
        """
        if self._trouble is not None:
            raise self._trouble
        with self._reading:
            picture = self._picture
            if picture is not None and picture.version == version:
                return Changes(None, version)
            steps = [each for each in self._steps if each.version > version]
            is_behind = picture is None or not steps or steps[0].version != version + 1
            if not is_behind:
                assert picture is not None
                watched = tuple(exam_ids) or tuple(picture.exams)
                told = self._once(("update", version, watched), lambda: update_of(picture, watched, steps))
                return Changes(told, picture.version)
        return self.board(exam_ids)

    def open(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Has `wake` called after each change from now on; it may not block. Returns what ends that."""
        key = object()
        with self._state:
            self._boards[key] = wake
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="boards", daemon=True)
                self._thread.start()
        return lambda: self._leave(key)

    def close(self) -> None:
        """Ends the thread."""
        with self._state:
            self._closed = True
            self._state.notify_all()

    def _leave(self, key: object) -> None:
        with self._state:
            self._boards.pop(key, None)
            self._state.notify_all()

    def _hear(self) -> None:
        """Notes news. Called by the thread that has committed them, so it does nothing more."""
        if self._boards:
            with self._state:
                self._has_news = True
                self._state.notify_all()

    def _run(self) -> None:
        while self._wait_for_news():
            time.sleep(_GATHER_S)
            with self._state:
                self._has_news = False
            if self._has_changed():
                for wake in list(self._boards.values()):
                    wake()
            time.sleep(_PAUSE_S + _PAUSE_A_BOARD_S * len(self._boards))

    def _wait_for_news(self) -> bool:
        """Waits until there may be something new. False once no board is open, or the service stops."""
        with self._state:
            self._state.wait_for(lambda: self._has_news or self._closed or not self._boards, _LOOK_AGAIN_S)
            if self._closed or not self._boards:
                self._thread = None
                return False
            return True

    def _has_changed(self) -> bool:
        """Reads again. Whether the boards have something to tell, trouble included."""
        try:
            with self._reading:
                before = self._picture
                picture = self._read()
                self._trouble, had_trouble = None, self._trouble is not None
                return had_trouble or before is None or picture.version != before.version
        except (sqlite3.OperationalError, NoSite) as error:
            log.warning("boards met a centre that cannot answer now: %s", error)
            self._trouble = error
        except Exception:
            log.exception("boards were not read")
            self._trouble = sqlite3.OperationalError("the boards were not read")
        return True

    def _read(self) -> Picture:
        """The picture of now. The caller holds `_reading`."""
        before = self._picture
        picture, step = next_picture(self._centre.definitions, before, read_after(self._centre, before))
        is_new = before is None or picture.version != before.version
        if is_new:
            self._steps.append(step)
        if before is None or is_new or picture.at_ms != before.at_ms:
            self._made.clear()
        self._picture = picture
        return picture

    def _once(self, key: tuple[object, ...], make: Callable[[], Told | None]) -> Told | None:
        """What is told, made once for all boards that ask for the same. The caller holds `_reading`."""
        if key not in self._made:
            told = make()
            self._made[key] = told and replace(told, value=msgspec.Raw(msgspec.json.encode(told.value)))
        return self._made[key]
