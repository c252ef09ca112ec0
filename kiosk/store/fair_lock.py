"""A lock that is handed over in the order in which it was asked for."""

import threading
from collections import deque
from types import TracebackType


class FairLock:
    """A re-entrant lock for `with`. Whoever lets go of it and asks again comes after those who waited meanwhile: the
    standard library's lets the same thread take it again at once, and a long piece of work in portions shuts out a tap.
    """

    def __init__(self) -> None:
        self._inner = threading.Lock()
        self._owner = 0
        self._depth = 0
        self._waiting: deque[tuple[int, threading.Lock]] = deque()

    def __enter__(self) -> None:
        me = threading.get_ident()
        with self._inner:
            if self._owner in (0, me):
                self._owner, self._depth = me, self._depth + 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append((me, turn))
        try:
            turn.acquire()
        except BaseException:  # Ctrl-C in the main thread: the turn would come to nobody
            self._give_up(me, turn)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._inner:
            self._depth -= 1
            if not self._depth:
                self._hand_over()

    def _give_up(self, me: int, turn: threading.Lock) -> None:
        with self._inner:
            if (me, turn) in self._waiting:
                self._waiting.remove((me, turn))
            else:
                self._hand_over()

    def _hand_over(self) -> None:
        self._owner = 0
        if self._waiting:
            self._owner, turn = self._waiting.popleft()
            self._depth = 1
            turn.release()
