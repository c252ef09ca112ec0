"""Opens the centre, or finds the service that has its database open."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sync.cards import CardKeys, load_or_make_keys
from sync.central.centre import Centre
from sync.central.maintenance.incarnation import open_incarnation
from sync.central.maintenance.timekeeper import Timekeeper, last_known_ms
from sync.central.records.bindings import key_ids_in_use
from sync.central.records.definitions import newest_definitions, put_in_force
from sync.central.store.errors import InUse, StoreError
from sync.central.store.sqlite import Store, database_path
from sync.control import NotRunning, Operation, Unanswered, ask, socket_path
from sync.journey.definitions import Definitions, shipped

log = logging.getLogger(__name__)

PATIENCE_S = 5.0
_ANSWER_WITHIN_S = 600.0
T = TypeVar("T")


def open_centre(
    url: str,
    keys: Path | None = None,
    definitions: Definitions | None = None,
    patience_s: float = PATIENCE_S,
    *,
    create: bool = True,
) -> Centre:
    """The centre over a database and its key file, which lies beside the database by default. Raises StoreError.

    Without `create` there must be a database. `definitions` come into force where they are newer than those in force.
    Waits at most `patience_s` seconds for another process that is closing the database.
    """
    return _patiently(lambda: _open(url, keys, definitions, create=create), patience_s)


class _Line:
    """The way to a centre for a command: to the service that has the database open, or to the database itself.

    The first operation decides. A database that it opens stays open, and closed to a service, until `close`.
    """

    def __init__(
        self, url: str, keys: Path | None, operations: Callable[[Centre], Mapping[str, Operation]], *, create: bool
    ) -> None:
        self._create = create
        self._url = url
        self._keys = keys
        self._operations = operations
        self._service_answered = False
        self._centre: Centre | None = None

    def __call__(self, op: str, /, **arguments: object) -> Any:
        """Runs an operation. Raises ControlError or StoreError."""
        if self._centre is None:
            try:
                return self._ask(op, arguments)
            except NotRunning as error:
                if self._service_answered:
                    raise Unanswered("the service has ended") from error
        return self._operations(self._open_centre())[op](arguments)

    def close(self) -> None:
        """Closes the database, where the line has opened it."""
        if self._centre is not None:
            self._centre.store.close()

    def _ask(self, op: str, arguments: Mapping[str, object]) -> Any:
        answer = ask(socket_path(database_path(self._url)), op, _ANSWER_WITHIN_S, **arguments)
        self._service_answered = True
        return answer

    def _open_centre(self) -> Centre:
        if self._centre is None:
            self._centre = _open(self._url, self._keys, create=self._create)
        return self._centre


@contextmanager
def line_to(
    url: str, keys: Path | None, operations: Callable[[Centre], Mapping[str, Operation]], *, create: bool = False
) -> Iterator[Callable[..., Any]]:
    """A line to a centre, for several operations after one another. `create` makes a database where there is none."""
    line = _Line(url, keys, operations, create=create)
    try:
        # Where another process holds the database and does not answer, it starts or stops.
        yield lambda op, /, **arguments: _patiently(lambda: line(op, **arguments), PATIENCE_S)
    finally:
        line.close()


def call(
    url: str,
    keys: Path | None,
    operations: Callable[[Centre], Mapping[str, Operation]],
    op: str,
    **arguments: object,
) -> Any:
    """Runs an operation in the service that has the database open, or opens it here.

    Raises ControlError or StoreError.
    """
    with line_to(url, keys, operations) as ask_centre:
        return ask_centre(op, **arguments)


def keys_path(database: Path) -> Path:
    """The default place of the card keys, which are never in the database itself."""
    return database.with_name(database.name + ".keys")


def _patiently(attempt: Callable[[], T], patience_s: float) -> T:
    """Tries again while another process holds the database: a command, or a service that starts or stops."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return attempt()
        except InUse:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _open(url: str, keys: Path | None, offered: Definitions | None = None, *, create: bool) -> Centre:
    store = Store(url, create=create)
    try:
        with store.read() as db:
            clock = Timekeeper(last_known_ms=last_known_ms(db))
        open_incarnation(store, clock)
        card_keys = _card_keys(keys or keys_path(store.path))
        centre = Centre(store, card_keys, _in_force(store, offered, clock()), clock)
        _refuse_other_keys(centre)
    except BaseException:
        store.close()
        raise
    return centre


def _in_force(store: Store, offered: Definitions | None, at_ms: int) -> Definitions:
    if offered is None:
        with store.read() as db:
            return newest_definitions(db) or shipped()
    with store.write() as db:
        taken = put_in_force(db, offered, at_ms)
    if taken.version > offered.version:
        log.warning("definitions %s stay in force; %s were offered", taken.version, offered.version)
    return taken


def _card_keys(path: Path) -> CardKeys:
    try:
        return load_or_make_keys(path)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"{path}: no usable key file: {error}") from error


def _refuse_other_keys(centre: Centre) -> None:
    """Under another database's keys, no card is known. Raises StoreError."""
    with centre.store.read() as db:
        known = key_ids_in_use(db)
    if known and not known & {key.key_id for key in centre.keys.keys}:
        raise StoreError(f"{centre.store.path}: its cards were bound under other keys than those of the key file")
