"""The taking of a document whose rows stand in a spool."""

from collections.abc import Callable

from sync.central.documents.report import Report, make_report
from sync.central.documents.sending import Ask, Sender
from sync.central.documents.spool import Spool


class Taking:
    """Takes a document: checks it first where that is wanted, and writes it.

    `check`: it is checked alone. `strict`: it is checked, and written only where no row is refused. `force`: a complete
    day may cancel any number of bookings. `tick` is called with the number of rows that were answered, and may raise.
    """

    def __init__(
        self,
        spool: Spool,
        ask: Ask,
        tick: Callable[[int], None],
        *,
        strict: bool = False,
        check: bool = False,
        force: bool = False,
    ) -> None:
        self._spool = spool
        self._ask = ask
        self._tick = tick
        self._check_first = strict or check
        self._write = not check
        self._force = force
        self.writing = False  # Whether the centre was asked to write anything.

    def run(self) -> None:
        """Takes the document. Raises what `ask` and `tick` raise; what was answered before stands in the spool."""
        if self._check_first:
            Sender(self._spool, self._ask, self._tick, check=True).send(force=self._force)
            if not self._write or next(self._spool.refusals(), None) is not None:
                return
            self._spool.forget_outcomes()
        self.writing = True
        Sender(self._spool, self._ask, self._tick).send(force=self._force)

    def report(self, encoding: str, form: str) -> Report:
        """The numbers of what was taken until now, or checked where nothing was written."""
        return make_report(self._spool, encoding, form, checked_only=not self.writing)

    def close(self, report: Report, *, complete: bool, by: str | None = None) -> None:
        """Has the centre note in its audit what was taken, where anything was written. Raises what `ask` raises.

        `by` is who sent the document, where that was no operator.
        """
        if self.writing:
            sender = {"by": by} if by else {}
            self._ask("import-done", **report.counts(), complete=complete, **sender)
