"""The definitions that this centre has run by. A kiosk that was cut off has judged by those that it last heard of, and
its actions are judged by the same ones, as long as they are not too far behind."""

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec

from sync.central.store.sqlite import ReadTransaction, StoreError, WriteTransaction
from sync.journey.definitions import Definitions, DefinitionsError, read
from sync.journey.model import Journey
from sync.protocol import canonical

SUPPORTED_BEFORE = 5  # versions before the centre's own that it still judges by

Rules = Callable[[int], Definitions | None]


def from_file(path: Path) -> Definitions:
    """The definitions in a TOML file. Raises StoreError where they are none."""
    try:
        return read(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError, DefinitionsError) as error:
        raise StoreError(f"{path}: no usable definitions: {error}") from error


def take_up(db: WriteTransaction, offered: Definitions, now_ms: int) -> Definitions:
    """What a service runs by that starts with these definitions; those that are new are kept.

    That is what is offered, unless the centre has run by a higher version: kiosks never go back. Raises StoreError
    where it has run by others of the same version: then kiosks would not fetch these, and judge by those.
    """
    kept = newest(db)
    if kept is not None and kept.version > offered.version:
        return kept
    if kept is not None and kept.version == offered.version:
        if canonical(kept.document) != canonical(offered.document):
            raise StoreError(
                f"definitions of version {offered.version} have been in force here already, and said something else:"
                " changed definitions need a higher version"
            )
        return kept
    db.execute(
        "insert into definitions values (:version, :document, :now_ms)",
        {"version": offered.version, "document": canonical(offered.document).decode(), "now_ms": now_ms},
    )
    return offered


def newest(db: ReadTransaction) -> Definitions | None:
    """The highest version that the centre has run by; None where no service has run on this database."""
    row = db.row("select document from definitions order by version desc limit 1")
    return _read(row["document"]) if row else None


def ever(db: ReadTransaction) -> list[Definitions]:
    """All that the centre has run by, in the order of their versions."""
    return [_read(row["document"]) for row in db.rows("select document from definitions order by version")]


def supported(db: ReadTransaction, own: Definitions) -> Rules:
    """The definitions of a version, as far as a centre that runs by `own` still judges by them; else None.

    An older version is out where it leads to states that are no more. To be asked in the transaction of `db` alone.
    """

    @cache
    def of_version(version: int) -> Definitions | None:
        if version == own.version:
            return own
        if not own.version - SUPPORTED_BEFORE <= version < own.version:
            return None
        row = db.row("select document from definitions where version = :version", version=version)
        older = _read(row["document"]) if row else None
        return older if older is not None and _leads_only_to(older, own) else None

    return of_version


def can_judge(rules: Definitions, journey: Journey) -> bool:
    """Whether these rules know every state that a journey and its entries are in."""
    return journey.state in rules.journey_states and all(e.state in rules.queue_states for e in journey.entries)


def _leads_only_to(older: Definitions, own: Definitions) -> bool:
    return (
        set(older.journey_states) <= set(own.journey_states)
        and set(older.queue_states) <= set(own.queue_states)
        and set(older.appointment_states) <= set(own.appointment_states)
    )


def _read(document: str) -> Definitions:
    try:
        return read(msgspec.json.decode(document))
    except DefinitionsError as error:
        raise StoreError(f"the database holds definitions that this version cannot read: {error}") from error
