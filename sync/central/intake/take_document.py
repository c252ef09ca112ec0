"""Takes one document by the operations of the running service, in the way of `kiosk-central import`."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from sync.central.documents.dates import iso_date
from sync.central.documents.interruption import Interrupted
from sync.central.documents.read_rows import OpenDocument, Reading, Source, read_document
from sync.central.documents.report import as_json
from sync.central.documents.rows import BrokenDocument, DocumentRow, OtherKind
from sync.central.documents.spool import Spool
from sync.central.documents.taking import Taking
from sync.central.imports.parts import Kind
from sync.central.intake.order import Order, Result, report_of
from sync.control import ControlError, NotRunning, ask

_ANSWER_WITHIN_S = 600.0
_STOPPED = "the service stops; send the document again to complete it"


def take_document(source: Source, order: Order, check: Callable[[], None]) -> Result:
    """Reads a document and has the service take it. `check` is called between two requests, and may raise Interrupted.

    Raises nothing that a document, a full disk or the service can cause: the result says it.
    """
    with closing(Spool()) as spool:
        try:
            document = _read(source, order, spool)
        except (BrokenDocument, OSError, sqlite3.Error) as error:
            return Result("failed", f"{error}; nothing was taken", is_broken=isinstance(error, BrokenDocument))
        return _take(spool, document, order, check)


def _read(source: Source, order: Order, spool: Spool) -> OpenDocument:
    spool.add(_complete_day(day) for day in order.complete_days)
    kind = Kind(order.kind) if order.kind else None
    document = read_document(source, Reading(order.encoding, kind, order.ignored_columns))
    if order.form and document.form != order.form:
        raise BrokenDocument(f"{source.name} is {document.form}, and was sent as {order.form}")
    spool.add(document.rows)
    spool.judge()
    if order.complete_days and document.form == "CSV" and not spool.count(Kind.APPOINTMENT).rows:
        raise BrokenDocument("a complete day needs a document of appointments")
    return document


def _complete_day(day: str) -> DocumentRow:
    found = iso_date(day)
    if found is None:
        raise BrokenDocument(f"the complete day {day[:64]!r} is no date of the calendar, such as 2026-12-01")
    return DocumentRow(OtherKind.COMPLETE_DAY, 0, found)


def _take(spool: Spool, document: OpenDocument, order: Order, check: Callable[[], None]) -> Result:
    asking = partial(ask, Path(order.socket), timeout_s=_ANSWER_WITHIN_S)
    ways = {"strict": order.strict, "check": order.check, "force": order.force}
    taking = Taking(spool, asking, lambda _: check(), **ways)
    error = None
    try:
        taking.run()
    except Interrupted:
        error = _STOPPED
    except NotRunning:
        error = "the service is not running"
    except (ControlError, OSError, sqlite3.Error) as failure:
        error = str(failure)
    counts = taking.report(document.encoding, document.form)
    report = report_of(as_json(counts, spool))
    if error is None or counts.taken:
        try:
            taking.close(counts, complete=error is None, by=order.by)
        except (NotRunning, ControlError, OSError) as failure:
            error = error or str(failure)
    if error is not None:
        return Result("failed", error, report)
    return Result("some_refused" if report.refused else "taken", None, report)
