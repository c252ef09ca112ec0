"""The documents that integrations send: each is kept on the disk, taken beside the other work, and reported on.

What became of a document stands in the database, so any worker of any host can tell it.
"""

import logging
import sqlite3
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Literal

import msgspec

from sync.central.centre import Centre
from sync.central.imports.parts import Kind
from sync.central.intake.order import Order, Outcome, Refusal, Remark, Report, Result
from sync.central.intake.process import take_in_process
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.document_imports import DocumentImport, add_import, end_import, note_seen, read_import
from sync.central.services.errors import ApiError
from sync.central.services.told import Told, told_of

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024 * 1024  # of a document
AT_ONCE = 2  # for a worker
ANSWER_S = 5.0  # a small document is taken by then
_SEEN_EVERY_S = 5.0
_LOST_MS = 60_000  # without a sign of life
_LOST = Result("failed", "the service was stopped in the middle; send the document again to complete it")
_BUSY = ApiError("busy", "Other documents are being taken.")
TOO_LARGE = ApiError("too_large", "The document is too large. Send it in parts, or use kiosk-central import.")
_NOT_FOUND = ApiError("not_found", "There is no such import, or it was more than 30 days ago.")
_CHUNK = 1024 * 1024


class ImportState(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was sent. While `state` is `taking`, ask again. `report` is as `kiosk-central import` has it.

    `outcome`: `taken`, `some_refused` (all others were taken; none with `strict`), or `failed`, where `error` says why.
    """

    import_id: str
    state: Literal["taking", "done"]
    outcome: Outcome | None = None
    error: str | None = None
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class Began:
    """A document that is being taken, and the event that is set at its end."""

    import_id: str
    has_ended: threading.Event


class Imports:
    """The documents that this worker takes."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def receive(self, body: IO[bytes], order: Order) -> Began | ApiError:
        """Keeps the body of a request on the disk, and begins to take it. Raises ConnectionError where it is not whole.

        The file has no name, so it ends with the process.
        """
        if not self._places.acquire(blocking=False):
            return _BUSY
        document = tempfile.TemporaryFile()  # noqa: SIM115 the thread that takes it closes it
        try:
            began = self._begin(document, order) if _copy(body, document) else TOO_LARGE
        except BaseException:
            self._give_back(document)
            raise
        if isinstance(began, ApiError):
            self._give_back(document)
        return began

    def _begin(self, document: IO[bytes], order: Order) -> Began:
        centre, began = self._centre, Began(self._centre.ids(), threading.Event())
        document.seek(0)
        with centre.store.write() as db:
            add_import(db, began.import_id, order.by, centre.clock())
        threading.Thread(target=self._take, args=(document, order, began), name="import", daemon=True).start()
        return began

    def _take(self, document: IO[bytes], order: Order, began: Began) -> None:
        try:
            result = take_in_process(document, order, _SEEN_EVERY_S, lambda: self._note_seen(began.import_id))
            with self._centre.store.write() as db:
                end_import(db, began.import_id, msgspec.json.encode(result).decode(), self._centre.clock())
        except Exception as error:  # noqa: BLE001
            # The text of the error could quote a row.
            log.error("what became of a document cannot be kept: %s", type(error).__name__)  # noqa: TRY400
        finally:
            self._give_back(document)
            began.has_ended.set()

    def _note_seen(self, import_id: str) -> None:
        with suppress(sqlite3.Error), self._centre.store.write() as db:
            note_seen(db, import_id, self._centre.clock())

    def _give_back(self, document: IO[bytes]) -> None:
        document.close()
        self._places.release()


def show_import(centre: Centre, import_id: str) -> Told | ApiError:
    """How a document stands: an ImportState, of the patients whom its report names."""
    with centre.store.read() as db:
        found = read_import(db, import_id)
    if found is None:
        return _NOT_FOUND
    state = _state(found, centre.clock())
    report = state.report
    remarks: tuple[Refusal | Remark, ...] = (*report.refusals, *report.notes) if report else ()
    named = [each.id for each in remarks if each.kind == Kind.PATIENT and each.id is not None]
    return told_of(state, AuditKind.TOLD_IMPORT, named)


def _state(found: DocumentImport, now_ms: int) -> ImportState:
    if found.result is None and abs(now_ms - found.seen_ms) < _LOST_MS:
        return ImportState(import_id=found.import_id, state="taking")
    result = msgspec.json.decode(found.result, type=Result) if found.result is not None else _LOST
    return ImportState(
        import_id=found.import_id, state="done", outcome=result.outcome, error=result.error, report=result.report
    )


def _copy(body: IO[bytes], document: IO[bytes]) -> bool:
    """Writes a body into a file. False where it is too large."""
    size = 0
    while part := body.read(_CHUNK):
        size += len(part)
        if size > MAX_BYTES:
            return False
        document.write(part)
    return True
