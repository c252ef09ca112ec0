"""An open database of the centre, whichever it is. `opening.py` opens one by its URL."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar

from sync.central.store.news import News
from sync.central.store.place import Place
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.database_check import BackgroundCheck

Found = TypeVar("Found")


class Store(Protocol):
    """One open database. Everything goes through `write()` or `read()`, from any thread."""

    @property
    def place(self) -> Place:
        """Where the database is, and where the centre keeps what belongs to it."""

    @property
    def news(self) -> News:
        """The news of what was committed here."""

    def write(self, *, brief: bool = False, beside: bool = False) -> AbstractContextManager[WriteTransaction]:
        """One transaction. It is durable once the context ends; an exception inside undoes all of it.

        A `brief` one takes about a millisecond. Brief ones that wait for each other share a commit, and each context
        ends after it. Such a transaction sees what the others before it have written. An exception undoes its own part
        alone, and ends the context at once. Where the commit fails, all of them fail.

        Raises sqlite3.Error, whichever the database is. What was committed then may be there or not.
        """

    def read(self) -> AbstractContextManager[ReadTransaction]:
        """A view of the state at one moment. Neither the view nor a writer waits for the other."""

    def glance(self) -> AbstractContextManager[ReadTransaction]:
        """A view for one statement, which needs no transaction around it."""

    def probe(self) -> None:
        """Reads one row. Raises sqlite3.Error where the database cannot be read."""

    def copy_to(self, file: Path, look: Callable[[ReadTransaction], Found]) -> Found:
        """Copies one moment's state into a file while others read and write, and checks the copy.

        Returns what `look` reads in that state. A restore of the copy is recognised as one. Raises
        sqlite3.Error or OSError.
        """

    def free_bytes(self) -> int | None:
        """The free bytes of the disk under the database; None where this machine cannot know. Raises OSError."""

    def check_in_background(self) -> BackgroundCheck | None:
        """Checks the database beside its use, and returns the check; None where there is nothing to check.

        Called at most once.
        """

    @property
    def damage(self) -> str | None:
        """The damage that the check in the background has found, in words; None where it has found none."""

    def tend(self) -> bool:
        """Looks after the database. Returns whether the program has to end, and the next start mends it.

        Raises sqlite3.Error, OSError or StoreError where that fails: it may be called again then.
        """

    def heed(self, reread: Callable[[ReadTransaction], bool], set_back: Callable[[WriteTransaction], None]) -> None:
        """Has functions called within a transaction, before anything else in it.

        `reread` follows a `note_common_change()` of another service. It returns whether the program has to end, and the
        next start mends it. `set_back` follows the loss of changes that this service has seen.
        """

    def leads(self) -> bool:
        """Whether this service does the background work of all services of the database."""

    def has_other_hosts(self) -> bool:
        """Whether another host has the database open at this moment, for a host's main worker. Raises sqlite3.Error."""

    def server_ms(self) -> int | None:
        """The time of the database's server (UTC ms); None where it is this machine. Raises sqlite3.Error."""

    def close(self) -> None:
        """Ends the use of the database, and lets another process open it."""
