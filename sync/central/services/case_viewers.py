"""Who else has a case open: staff see each other, so that two do not settle one case."""

import msgspec

from sync.central.centre import Centre
from sync.central.records.accounts import account_of_id
from sync.central.records.case_viewers import LEASE_MS, Viewer, look_at, look_away, renew_look, viewers
from sync.central.records.cases import count_open_cases, read_case
from sync.central.records.patients import patient_named
from sync.central.records.site import read_site
from sync.central.records.tokens import Bearer
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso

RENEW_EVERY_S = LEASE_MS / 3000


class CaseViewer(msgspec.Struct, frozen=True):
    """A person who has a case open. `viewer_id` is the page's."""

    viewer_id: str
    exception_id: str
    name: str
    since: str


class Inbox(msgspec.Struct, frozen=True):
    """The number of open cases, and who has which case open."""

    open: int
    viewers: list[CaseViewer]


def read_inbox(centre: Centre) -> Inbox:
    """The Inbox now."""
    with centre.store.read() as db:
        zone = read_site(db).site.timezone
        looking = [
            CaseViewer(each.viewer_id, each.exception_id, each.name, iso(each.since_ms, zone))
            for each in viewers(db, centre.clock())
        ]
        return Inbox(count_open_cases(db), looking)


def patients_of_case(centre: Centre, exception_id: str, further: str | None) -> set[str]:
    """The patient of a case and a further one, by their present ids, where the centre knows them."""
    with centre.store.read() as db:
        case = read_case(db, exception_id)
        named = (each for each in (case.patient_id if case else None, further) if each is not None)
        return {found for each in named if (found := patient_named(db, each)) is not None}


def open_case_page(centre: Centre, viewer_id: str, exception_id: str, bearer: Bearer) -> None:
    """Notes that a person has opened a case, in place of the one before."""
    with centre.store.write(brief=True) as db:
        look_at(db, Viewer(viewer_id, exception_id, _name(db, bearer), centre.clock()))


def keep_case_page(centre: Centre, viewer_id: str, exception_id: str, bearer: Bearer) -> None:
    """Notes that the person still has it open."""
    now_ms = centre.clock()
    with centre.store.write(brief=True) as db:
        if not renew_look(db, viewer_id, now_ms):
            look_at(db, Viewer(viewer_id, exception_id, _name(db, bearer), now_ms))


def leave_case_page(centre: Centre, viewer_id: str) -> None:
    """Notes that the person has left it."""
    with centre.store.write(brief=True) as db:
        look_away(db, viewer_id)


def _name(db: ReadTransaction, bearer: Bearer) -> str:
    """The person's own name; that of the token where it is no person's."""
    account = account_of_id(db, bearer.account_id) if bearer.account_id else None
    return account.name if account else bearer.name
