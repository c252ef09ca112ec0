"""Breakage at a chosen moment of a transaction, at either end: the process dies, or the disk fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from kiosk.store.sqlite import Store as KioskStore
from sync.central.store.sqlite import SqliteStore as CentreStore
from sync.central.store.transactions import WriteTransaction


class Crash(BaseException):
    """The process dies here. The product does not catch this exception, as no program catches a loss of power."""


class Moment(Enum):
    """The moments at which a fuse may fire."""

    STATEMENT = "inside a transaction"
    COMMITTED = "after a commit"


@dataclass(slots=True)
class Fuse:
    """Raises an error at the n-th moment of a kind."""

    _left: int = 0
    _moment: Moment = Moment.STATEMENT
    _error: Callable[[], BaseException] = field(default=Crash)

    def light(self, moment: Moment, after: int, error: Callable[[], BaseException] = Crash) -> None:
        """Arms the fuse: it fires at the `after`-th moment of that kind."""
        self._moment, self._left, self._error = moment, after, error

    @property
    def lit(self) -> bool:
        """Whether the fuse is armed."""
        return self._left > 0

    def put_out(self) -> bool:
        """Disarms the fuse. Returns whether it was still armed."""
        was_lit, self._left = self.lit, 0
        return was_lit

    def at(self, moment: Moment) -> None:
        """Reports a moment of this kind, at which the fuse may fire."""
        if self._left and moment is self._moment:
            self._left -= 1
            if not self._left:
                raise self._error()

    def counted(self, statement: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps a function that executes statements: each call is a moment."""

        def execute(*arguments: object) -> Any:
            self.at(Moment.STATEMENT)
            return statement(*arguments)

        return execute


class Tripwire:
    """A connection on which each statement is a moment of the fuse."""

    def __init__(self, connection: Any, fuse: Fuse) -> None:
        self.execute = fuse.counted(connection.execute)
        self.executemany = fuse.counted(connection.executemany)


class FragileKioskStore(KioskStore):
    """The kiosk's store, which breaks when its fuse fires."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        self._fuse = fuse
        super().__init__(path)

    @contextmanager
    def write(self, *, in_background: bool = False) -> Iterator[Any]:
        with super().write(in_background=in_background) as connection:
            yield Tripwire(connection, self._fuse) if self._fuse.lit else connection
            self._fuse.at(Moment.STATEMENT)
        self._fuse.at(Moment.COMMITTED)


class FragileCentreStore(CentreStore):
    """The centre's store, which breaks when its fuse fires."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        self._fuse = fuse
        super().__init__(f"sqlite:///{path}")

    @contextmanager
    def write(self, *, brief: bool = False, beside: bool = False) -> Iterator[WriteTransaction]:
        with super().write(brief=brief, beside=beside) as transaction:
            if self._fuse.lit:
                transaction.execute = self._fuse.counted(transaction.execute)
                transaction.executemany = self._fuse.counted(transaction.executemany)
            yield transaction
            self._fuse.at(Moment.STATEMENT)
        self._fuse.at(Moment.COMMITTED)
