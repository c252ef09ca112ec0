"""The documents that came over HTTP, as rows: who sent each, whether it is still being taken, and what became of it."""

from dataclasses import dataclass

from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import DAY_MS

KEPT_MS = 30 * DAY_MS


@dataclass(frozen=True, slots=True)
class DocumentImport:
    """A document. Times are UTC ms. `result` is JSON, None until it has ended. `seen_ms`: its worker was alive then."""

    import_id: str
    who: str
    began_ms: int
    seen_ms: int
    ended_ms: int | None = None
    result: str | None = None


def add_import(db: WriteTransaction, import_id: str, who: str, now_ms: int) -> None:
    """Notes that a document is being taken."""
    db.execute(
        "insert into document_imports values (:import_id, :who, :now_ms, :now_ms, null, null)",
        {"import_id": import_id, "who": who, "now_ms": now_ms},
    )


def note_seen(db: WriteTransaction, import_id: str, now_ms: int) -> None:
    """Notes that a document is still being taken."""
    db.execute(
        "update document_imports set seen_ms = :now_ms where import_id = :import_id",
        {"import_id": import_id, "now_ms": now_ms},
    )


def end_import(db: WriteTransaction, import_id: str, result: str, now_ms: int) -> None:
    """Notes what became of a document."""
    db.execute(
        "update document_imports set seen_ms = :now_ms, ended_ms = :now_ms, result = :result"
        " where import_id = :import_id",
        {"import_id": import_id, "result": result, "now_ms": now_ms},
    )


def read_import(db: ReadTransaction, import_id: str) -> DocumentImport | None:
    """The document of an id; None for an unknown one."""
    row = db.row("select * from document_imports where import_id = :import_id", import_id=import_id)
    return DocumentImport(*row) if row else None


def delete_old_imports(db: WriteTransaction, now_ms: int) -> None:
    """Deletes what became of documents that came more than 30 days ago."""
    db.execute("delete from document_imports where began_ms < :before_ms", {"before_ms": now_ms - KEPT_MS})
