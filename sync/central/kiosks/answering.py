"""The answers to pulls as a set: one moment, one page for all who ask for the same, and each kiosk's own parts.

A cursor of an earlier day, or of another incarnation of the database, gets a snapshot. Verdicts and merged records
continue from that cursor nevertheless, unless it is of another incarnation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from sync.cards import CardKeys
from sync.central.centre import Centre
from sync.central.kiosks.cursors import Cursor, cursor_mac, kind_of_cursor
from sync.central.kiosks.page import NO_ROWS, Pages, RosterPage, Span, end_of, read_rows
from sync.central.kiosks.refusals import bad_cursor, judged_sender, other_site
from sync.central.kiosks.renewal import renewal_is_due
from sync.central.maintenance.restore_gap import restored_at
from sync.central.records.desk_cards import awaited_cards
from sync.central.records.patients import merges_after
from sync.central.records.site import SiteDay, SiteSettings, read_site
from sync.central.records.standings import Moment, Standing, read_standings
from sync.central.records.verdicts import RevisedVerdict, current_verdict_row, kiosks_with_revised, revised_verdicts
from sync.central.store.transactions import ReadTransaction
from sync.protocol import CallRefused, DeskAsk, PageHead, PullRequest, Renamed, VerdictRow

_KIOSKS_READ = 32  # by one statement: nobody else runs while its rows are taken apart
MERGES_A_ROW = 20  # a merged record is so much smaller than a patient's row


@dataclass(frozen=True, slots=True)
class Pulled:
    """An answer: what is the kiosk's own, the rows that other kiosks get too, and the site's day."""

    head: PageHead
    rows: RosterPage
    day: SiteDay


Answered = Pulled | CallRefused
Versions = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A pull: the kiosk of its token, its message, and the patients that its page may hold.

    `unconfirmed` is the hash of the token, where the database has not yet said that it is valid.
    """

    kiosk_id: str
    request: PullRequest
    rows: int
    unconfirmed: str = ""


@dataclass(frozen=True, slots=True)
class Present:
    """What answers are made of: the moment of their transaction, the site, the time (UTC ms), and the day."""

    moment: Moment
    site: SiteSettings
    now_ms: int
    day: SiteDay

    @property
    def today(self) -> str:
        """The day of the site (ISO date)."""
        return self.day.day

    @property
    def first_change(self) -> int:
        """The change at which today's roster began; 0 where no pull has begun it."""
        return self.moment.first_change_of(self.today) or 0

    def knows(self, request: PullRequest) -> bool:
        """Whether a pull is of this incarnation, or names none."""
        return request.server_incarnation in (None, self.moment.server_incarnation)

    def needs_snapshot(self, request: PullRequest) -> bool:
        """Whether the next page with rows begins a snapshot."""
        cursor = request.cursor
        is_of_today = 0 < cursor <= self.moment.latest and cursor >= self.first_change
        return not (is_of_today and self.knows(request))


@dataclass(frozen=True, slots=True)
class _Notices:
    """Revised verdicts of the kiosk's actions, and merged records with their changes, complete up to change `end`."""

    verdicts: tuple[RevisedVerdict, ...]
    renamed: tuple[tuple[int, Renamed], ...]
    end: int


@dataclass(frozen=True, slots=True)
class Between:
    """The cursors that a page lies between. `reset`: a snapshot begins. `more`: another page follows."""

    from_cursor: int
    cursor: int
    reset: bool
    more: bool


@dataclass(frozen=True, slots=True)
class _Page:
    """A page for one kiosk."""

    between: Between
    rows: RosterPage
    verdicts: tuple[VerdictRow, ...]
    renamed: tuple[Renamed, ...]
    desk_ask: DeskAsk | None


def answer_pulls(
    db: ReadTransaction, centre: Centre, pages: Pages, asked: Sequence[Asked], versions: Versions
) -> Iterator[Answered]:
    """The answers to pulls, in their order, as of one moment. Each is made when it is asked for. Raises NoSite."""
    # The first read sets the moment that this transaction sees. A clock read after it names no earlier day.
    present = present_of(db, centre, read_standings(db).moment)
    making = _Answers(db, centre, pages, present)
    oldest = min(making.begin_of(each.request) for each in asked)
    # One kiosk is asked about by itself: others may have thousands of verdicts since its cursor.
    revised = kiosks_with_revised(db, oldest) if len(asked) > 1 else {asked[0].kiosk_id}
    for some in (asked[begin : begin + _KIOSKS_READ] for begin in range(0, len(asked), _KIOSKS_READ)):
        standings = read_standings(db, {each.kiosk_id for each in some})
        for each in some:
            standing = caller(present, standings.of.get(each.kiosk_id), each)
            if isinstance(standing, CallRefused):
                yield standing
                continue
            page = making.page(each, has_revised=each.kiosk_id in revised)
            yield _answer(centre, present, each, standing, page, versions)


def present_of(db: ReadTransaction, centre: Centre, moment: Moment) -> Present:
    """The present of a transaction that has read its moment. Raises NoSite."""
    now_ms, site = centre.clock(), read_site(db)
    return Present(moment, site, now_ms, site.site_day(now_ms))


def caller(present: Present, standing: Standing | None, asked: Asked) -> Standing | CallRefused:
    """The standing of the kiosk that pulls; the refusal where site, kiosk or cursor are not in order."""
    if refused := other_site(present.site.site_id, asked.request.site_id):
        return refused
    sender = judged_sender(standing.kiosk if standing else None, asked.request.kiosk_id, present.site.site_id)
    if isinstance(sender, CallRefused):
        return sender
    assert standing is not None
    if kind_of_cursor(present.moment, asked.kiosk_id, asked.request) is Cursor.MADE_UP:
        return bad_cursor(present.site.site_id)
    return standing


def newer_keys(published: CardKeys, request: PullRequest) -> CardKeys | None:
    """The card keys for a kiosk that has others, or none; None for one that has them, or does not tell."""
    return published if request.card_key_id not in (None, published.newest) else None


class _Answers:
    """The making of a set of answers. What several kiosks have in common is read once."""

    def __init__(self, db: ReadTransaction, centre: Centre, pages: Pages, present: Present) -> None:
        self._db = db
        self._centre = centre
        self._pages = pages
        self._present = present
        self._restored_at = cache(lambda: restored_at(db))
        self._merges = cache(lambda after, limit: merges_after(db, after, limit))
        self._awaited = cache(lambda: awaited_cards(db, present.now_ms))

    def begin_of(self, request: PullRequest) -> int:
        """The change after which a pull's verdicts and merged records begin."""
        if self._present.knows(request):
            return min(max(request.cursor, 0), self._present.moment.latest)
        # After a restore a kiosk sends all its actions again, so the verdicts in the backup come as answers to them.
        return self._restored_at()

    def page(self, asked: Asked, *, has_revised: bool) -> _Page:
        """The page for a kiosk. It ends where the first of its lists is cut at a page's length."""
        present, request, after = self._present, asked.request, self.begin_of(asked.request)
        first, latest = present.first_change, present.moment.latest
        notices = self._notices(asked, after, has_revised=has_revised)
        needs_snapshot = present.needs_snapshot(request)
        if needs_snapshot and present.knows(request) and notices.end < first:
            # A snapshot ends at a cursor of today, so the notices of earlier days come before it.
            return self._filled(asked, notices, NO_ROWS, Between(after, notices.end, reset=False, more=True))
        begin = None if needs_snapshot else after
        span = Span(begin, asked.rows, present.today, first, present.moment.server_incarnation)
        rows = self._pages.page(self._db, span, latest, present.now_ms)
        if notices.end < rows.end:
            rows = read_rows(self._db, self._centre.definitions, span, notices.end)
        between = Between(begin or 0, rows.end, reset=needs_snapshot, more=rows.end < latest)
        return self._filled(asked, notices, rows, between)

    def _desk_ask(self, kiosk_id: str) -> DeskAsk | None:
        """The card that the desk awaits at a kiosk."""
        awaited = self._awaited().get(kiosk_id)
        return DeskAsk(awaited.ask_id, awaited.until_ms - self._present.now_ms) if awaited else None

    def _notices(self, asked: Asked, after: int, *, has_revised: bool) -> _Notices:
        latest, most_merges = self._present.moment.latest, MERGES_A_ROW * asked.rows
        verdicts = revised_verdicts(self._db, asked.kiosk_id, after, asked.rows) if has_revised else []
        renamed = self._merges(after, most_merges)
        end_of_verdicts = end_of([each.record.change for each in verdicts], asked.rows, latest)
        end_of_merges = end_of([change for change, _ in renamed], most_merges, latest)
        return _Notices(tuple(verdicts), tuple(renamed), min(end_of_verdicts, end_of_merges))

    def _filled(self, asked: Asked, notices: _Notices, rows: RosterPage, between: Between) -> _Page:
        verdicts = tuple(
            current_verdict_row(
                self._db, self._centre.definitions, self._present.today, each.record, each.action_id, each.seq
            )
            for each in notices.verdicts
            if each.record.change <= between.cursor
        )
        renamed = tuple(each for change, each in notices.renamed if change <= between.cursor)
        return _Page(between, rows, verdicts, renamed, self._desk_ask(asked.kiosk_id))


def _answer(
    centre: Centre, present: Present, asked: Asked, standing: Standing, page: _Page, versions: Versions
) -> Pulled:
    request, moment, between = asked.request, present.moment, page.between
    is_stale = request.definitions_version != centre.definitions.version
    chain = standing.chain if request.epoch == standing.kiosk.epoch else None
    head = PageHead(
        site_id=present.site.site_id,
        server_incarnation=moment.server_incarnation,
        from_cursor=between.from_cursor,
        cursor=between.cursor,
        cursor_mac=cursor_mac(moment, asked.kiosk_id, between.cursor, more=between.more),
        reset=between.reset,
        more=between.more,
        gone=(*(each.old for each in page.renamed), *page.rows.gone),
        actions=centre.definitions.granted(standing.kiosk.grants),
        site=present.site.site,
        now_ms=present.now_ms,
        verdicts=page.verdicts,
        definitions=dict(centre.definitions.document) if is_stale else None,
        renamed=page.renamed,
        last_seq=chain.last_seq if chain else None,
        backed_up_seq=chain.backed_up_seq if chain else 0,
        epoch=request.epoch,
        asked_cursor=request.cursor,
        versions=versions,
        card_keys=newer_keys(centre.keys.published, request),
        renew_token=renewal_is_due(standing.kiosk, standing.token_ms, present.now_ms),
        desk_ask=page.desk_ask,
    )
    return Pulled(head, page.rows, present.day)
