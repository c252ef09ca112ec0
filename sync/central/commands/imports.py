"""The command that brings a hospital's document in: `import`."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import click

from sync.central.commands.options import Database, as_json_option, line, on_database, print_json
from sync.central.commands.progress import progress_bar
from sync.central.documents.dates import iso_date
from sync.central.documents.interruption import Interrupted, Interruption, interruptible
from sync.central.documents.read_rows import OpenDocument, Reading, Source, open_source, read_document
from sync.central.documents.report import Report, as_json, in_words, remarks_in_words
from sync.central.documents.rows import BrokenDocument, DocumentRow, OtherKind
from sync.central.documents.sending import Ask
from sync.central.documents.spool import Spool
from sync.central.documents.taking import Taking
from sync.central.imports.parts import Kind
from sync.central.store.errors import StoreError
from sync.control import ControlError

_REFUSED = 1
_BY_SIGNAL = 128  # A shell adds the number of the signal.
_CSV_KINDS = [kind.value for kind in (Kind.EXAM, Kind.PATIENT, Kind.APPOINTMENT)]


@dataclass(frozen=True, slots=True)
class _Wishes:
    """How the rows are to be taken, and how the report is to be shown."""

    strict: bool
    check: bool
    force: bool
    as_json: bool


@click.command("import")
@on_database
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--kind", type=click.Choice(_CSV_KINDS), help="The rows of a CSV file.  [default: its header says it]")
@click.option("--encoding", metavar="NAME", help="The encoding of FILE, such as cp949.  [default: its bytes say it]")
@click.option("--ignore-column", "ignored", multiple=True, metavar="NAME", help="A column to leave out; repeatable.")
@click.option("--complete-day", "days", multiple=True, metavar="DATE", help="FILE has all bookings of it; repeatable.")
@click.option("--strict", is_flag=True, help="Check the whole document first, and write only if no row is refused.")
@click.option("--check", is_flag=True, help="Check the whole document, and write nothing.")
@click.option("--force", is_flag=True, help="Let a complete day cancel more than a fifth of its bookings.")
@as_json_option
@click.pass_context
def import_(
    context: click.Context,
    database: Database,
    file: str,
    kind: str | None,
    encoding: str | None,
    ignored: tuple[str, ...],
    days: tuple[str, ...],
    strict: bool,
    check: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Take a document of the hospital's system: site, exams, patients, cards and bookings, in JSON or CSV.

    The database is made where there is none, but not by --check. Each row is taken or refused by itself. Exits with 1
    where anything was refused. `-` is standard input.

    \b
    Examples:
      kiosk-central import --database sqlite:///central.db hospital.json
      kiosk-central import --database sqlite:///central.db patients.csv --check
    """
    reading = Reading(encoding, Kind(kind) if kind else None, ignored)
    wishes = _Wishes(strict, check, force, as_json)
    with _ended_by_signal(context) as interruption, closing(Spool()) as spool:
        spool.add(_complete_day(day) for day in days)
        document = _read(file, reading, spool)
        if days and document.form == "CSV" and (spool.count(Kind.PATIENT).rows or spool.count(Kind.EXAM).rows):
            raise click.UsageError("--complete-day needs a file of appointments")
        with line(database, create=not check) as ask:
            interruption.defer()
            context.exit(_take(spool, ask, document, wishes, interruption))


COMMANDS: tuple[click.Command, ...] = (import_,)


def _complete_day(day: str) -> DocumentRow:
    found = iso_date(day)
    if found is None:
        raise click.UsageError(f"--complete-day {day} is no date of the calendar, such as 2026-12-01")
    return DocumentRow(OtherKind.COMPLETE_DAY, 0, found)


@contextmanager
def _ended_by_signal(context: click.Context) -> Iterator[Interruption]:
    """Lets Ctrl-C and SIGTERM end the command, between two requests or at the second one at once."""
    try:
        with interruptible() as interruption:
            yield interruption
    except Interrupted as error:
        click.echo("interrupted: the same document, imported again, completes what is missing", err=True)
        context.exit(_BY_SIGNAL + error.signum)


def _read(file: str, reading: Reading, spool: Spool) -> OpenDocument:
    """Reads the file into the spool. Nothing was sent to the centre then."""
    before = spool.size()
    try:
        with open_source(file) as source, progress_bar(source.size, "reading") as advance:
            document = read_document(source, reading)
            spool.add(document.rows, _reading_tick(source, advance))
            spool.judge()
    except BrokenDocument as error:
        readable = f"{spool.size() - before} rows before it can be read; " if spool.size() > before else ""
        raise click.ClickException(f"{error}. {readable}nothing was taken") from error
    return document


def _take(spool: Spool, ask: Ask, document: OpenDocument, wishes: _Wishes, interruption: Interruption) -> int:
    """Has the rows taken, and prints what became of them. Returns the exit code."""
    passes = 2 if wishes.strict and not wishes.check else 1
    with progress_bar(spool.size() * passes, "taking") as advance:
        tick = _taking_tick(advance, interruption)
        taking = Taking(spool, ask, tick, strict=wishes.strict, check=wishes.check, force=wishes.force)
        signum = _run(taking, document)
    report = taking.report(document.encoding, document.form)
    _print(report, spool, wishes)
    taking.close(report, complete=not signum)
    if signum:
        click.echo(f"interrupted: {report.waiting} rows were not reached; import the document again", err=True)
        return _BY_SIGNAL + signum
    return _REFUSED if report.refused else 0


def _run(taking: Taking, document: OpenDocument) -> int:
    """Takes the document. Returns the number of the signal that ended it early, or 0."""
    try:
        taking.run()
    except Interrupted as error:
        return error.signum
    except (ControlError, StoreError, sqlite3.Error, OSError) as error:
        report = taking.report(document.encoding, document.form)
        if report.checked_only or not report.taken:
            raise
        what = f"the database: {error}" if isinstance(error, sqlite3.Error) else str(error)
        raise click.ClickException(
            f"{what}. {report.taken} rows were taken before, {report.waiting} were not reached:"
            " import the document again to complete it"
        ) from error
    return 0


def _print(report: Report, spool: Spool, wishes: _Wishes) -> None:
    if wishes.as_json:
        print_json(as_json(report, spool))
        return
    for words in in_words(report):
        click.echo(words)
    for words in remarks_in_words(spool, report.refused):
        click.echo(words, err=True)


def _reading_tick(source: Source, advance: Callable[[int], None]) -> Callable[[], None]:
    shown = 0

    def tick() -> None:
        nonlocal shown
        place = source.file.tell()
        advance(place - shown)
        shown = place

    return tick


def _taking_tick(advance: Callable[[int], None], interruption: Interruption) -> Callable[[int], None]:
    def tick(rows: int) -> None:
        advance(rows)
        interruption.check()

    return tick
