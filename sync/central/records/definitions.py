"""The definitions in force at this centre, and the earlier versions that it still judges by.

A kiosk that was offline has judged by the version that it last pulled. The centre judges its actions by the same
version, unless that version is too old.
"""

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec

from sync.central.store.errors import StoreError
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.definitions import Definitions, DefinitionsError, read
from sync.journey.model import Journey
from sync.protocol import canonical

SUPPORTED_BEFORE = 5  # the number of earlier versions that the centre still judges by

Rules = Callable[[int], Definitions | None]


def definitions_from_file(path: Path) -> Definitions:
    """The definitions in a TOML file. Raises StoreError where the file holds no valid definitions."""
    try:
        return read(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError, DefinitionsError) as error:
        raise StoreError(f"{path}: no usable definitions: {error}") from error


def put_in_force(db: WriteTransaction, offered: Definitions, now_ms: int) -> Definitions:
    """Stores the offered definitions where they are new, and returns the definitions in force.

    The offered ones come into force, unless the centre has used a higher version: kiosks never go back. Raises
    StoreError where the centre has used other definitions of the same version, since kiosks would not fetch the offered
    ones.
    """
    current = newest_definitions(db)
    if current is not None and current.version > offered.version:
        return current
    if current is not None and current.version == offered.version:
        if canonical(current.document) != canonical(offered.document):
            raise StoreError(
                f"definitions of version {offered.version} have been in force here already, with another content:"
                " changed definitions need a higher version"
            )
        return current
    db.execute(
        "insert into definitions values (:version, :document, :now_ms)",
        {"version": offered.version, "document": canonical(offered.document).decode(), "now_ms": now_ms},
    )
    return offered


def newest_definitions(db: ReadTransaction) -> Definitions | None:
    """The highest version that the centre has used; None where no service has used this database."""
    row = db.row("select document from definitions order by version desc limit 1")
    return _read(row["document"]) if row else None


def all_definitions(db: ReadTransaction) -> list[Definitions]:
    """Every version that the centre has used, in the order of versions."""
    return [_read(row["document"]) for row in db.rows("select document from definitions order by version")]


def supported_rules(db: ReadTransaction, own: Definitions) -> Rules:
    """A look-up of definitions by version, for a centre that uses `own`; None for a version that is not supported.

    An older version is supported where all its states exist in `own`. The look-up is for the transaction `db` alone.
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
    """Whether these rules know the state of a journey and of each of its entries."""
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
