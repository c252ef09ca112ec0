"""Enrolment: a one-use code makes a machine a kiosk of this site. The centre gives it its id, prefix and grants.

Codes and tokens are shown once and stored as hashes. Wrong codes are counted by the network address of the request.
"""

import hashlib
import ipaddress
import itertools
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sync.cards import CardKeys
from sync.central.centre import Centre
from sync.central.maintenance.restore_gap import ON_PAPER_MS, prefixes_uncertain, random_prefixes, was_restored
from sync.central.records.catching_up import note_catching_up
from sync.central.records.enrolment import (
    add_code,
    add_failure,
    count_failures,
    delete_failures_before,
    use_code,
    valid_code,
)
from sync.central.records.kiosks import Kiosk, add_kiosk, prefixes_since, read_kiosk
from sync.central.records.site import SiteSettings, read_site
from sync.central.records.tokens import issue
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.definitions import ENTRANCE, Definitions
from sync.journey.model import KioskId, Role
from sync.protocol import CallRefused, EndCode, Enrolment, EnrolRequest

CODE_LIFE_MS = 10 * 60 * 1000
FAILURE_WINDOW_MS = 60 * 1000
FAILURES_OF_ONE = 5  # wrong codes a minute from one address, and from all of them
FAILURES_OF_ALL = 50

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # characters that are not confused when they are read aloud or typed
_CODE_LENGTH = 10
_KIOSK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_PREFIX = re.compile(r"[A-Z]{1,3}")
_PREFIX_LETTERS = "ABDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class NotEnrolled:
    """Why a request to enrol is refused. `retry_after_s` is set after too many wrong codes."""

    error: str
    code: EndCode = EndCode.NOT_KNOWN
    retry_after_s: float | None = None


def new_code(db: WriteTransaction, now_ms: int, grants: Sequence[str] = (ENTRANCE,)) -> str:
    """Makes a one-use code, valid for ten minutes. It grants these kinds of kiosk and actions at most."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
    add_code(db, _hash(code), grants, now_ms, now_ms + CODE_LIFE_MS)
    return f"{code[:5]}-{code[5:]}"


def enrol_kiosk(centre: Centre, message: EnrolRequest, address: str) -> Enrolment | CallRefused:
    """Enrols the kiosk that sent a message from a network address, or says why not."""
    now_ms = centre.clock()
    with centre.store.write() as db:
        outcome = enrol(db, read_site(db), centre.definitions, centre.keys, message, _origin(address), now_ms)
    if not isinstance(outcome, NotEnrolled):
        return outcome
    return CallRefused(code=outcome.code, error=outcome.error, retry_after_s=outcome.retry_after_s)


def enrol(
    db: WriteTransaction,
    settings: SiteSettings,
    definitions: Definitions,
    keys: CardKeys,
    request: EnrolRequest,
    origin: str,
    now_ms: int,
) -> Enrolment | NotEnrolled:
    """Turns a code into a kiosk. The suggestions of the kiosk's configuration are used where they are free and allowed.

    For two days after a restore no suggested prefix counts as free. `origin` is the network address of the request.
    A kiosk that keeps actions of another site is refused before its code is looked at.
    """
    limited = _limited(db, origin, now_ms)
    if limited is not None:
        return limited
    if request.kept > 0 and request.site_id != settings.site_id:
        return NotEnrolled("this kiosk keeps actions of another site, which would be lost here", EndCode.OTHER_SITE)
    code_hash = _typed_hash(request.code)
    code = valid_code(db, code_hash, now_ms)
    if code is None:
        add_failure(db, origin, now_ms)
        return NotEnrolled("this code is unknown, used or older than ten minutes: make a new one at the centre")
    grants = _grants(definitions, request.actions, code.grants)
    if not grants:
        return NotEnrolled(f"this code is for: {', '.join(code.grants)}; this kiosk asks for other actions")
    use_code(db, code_hash, now_ms)
    kiosk_id = _free_id(db, request.kiosk_id)
    kiosk = Kiosk(
        kiosk_id=kiosk_id,
        name=_name(request) or kiosk_id,
        ticket_prefix=_free_prefix(db, request.ticket_prefix, settings.ticket_prefix, now_ms),
        grants=grants,
        epoch=1,
        enrolled_ms=now_ms,
        seen_ms=None,
        revoked_ms=None,
    )
    add_kiosk(db, kiosk)
    if request.kept > 0 and was_restored(db):
        note_catching_up(db, kiosk_id, now_ms)
    token = issue(db, Role.KIOSK, now_ms, kiosk_id=kiosk.kiosk_id, name=kiosk.name)
    return Enrolment(
        kiosk_id=kiosk.kiosk_id,
        epoch=kiosk.epoch,
        name=kiosk.name,
        ticket_prefix=kiosk.ticket_prefix,
        actions=definitions.granted(kiosk.grants),
        token=token,
        card_keys=keys,
        site_id=settings.site_id,
        server_incarnation=settings.server_incarnation,
        site=settings.site,
        definitions=dict(definitions.document),
    )


def _origin(address: str) -> str:
    """Whom wrong codes are counted for: an IPv4 address, or the /64 of an IPv6 one, where one machine has many."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))


def _limited(db: WriteTransaction, origin: str, now_ms: int) -> NotEnrolled | None:
    delete_failures_before(db, now_ms - FAILURE_WINDOW_MS)
    failures = count_failures(db, origin)
    if failures.first_ms is None or (failures.of_one < FAILURES_OF_ONE and failures.of_all < FAILURES_OF_ALL):
        return None
    wait_s = max(1.0, (failures.first_ms + FAILURE_WINDOW_MS - now_ms) / 1000)
    return NotEnrolled("too many wrong codes; wait a minute", EndCode.TRY_LATER, wait_s)


def _typed_hash(typed: str) -> str:
    """The hash of a code as a person types it: case and separators do not matter."""
    return _hash(re.sub(r"[\s-]", "", typed[:64]).upper())


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def _free_id(db: ReadTransaction, wish: str) -> KioskId:
    if _KIOSK_ID.fullmatch(wish) and read_kiosk(db, wish) is None:
        return KioskId(wish)
    stem = wish if _KIOSK_ID.fullmatch(wish) else "kiosk"
    numbered = (f"{stem[:27]}-{number}" for number in itertools.count(1 if stem == "kiosk" else 2))
    return KioskId(next(name for name in numbered if read_kiosk(db, name) is None))


def _free_prefix(db: ReadTransaction, wish: str, own: str, now_ms: int) -> str:
    in_use = {own} | prefixes_since(db, now_ms - ON_PAPER_MS)
    if prefixes_uncertain(db, now_ms):
        return next(prefix for prefix in random_prefixes(_PREFIX_LETTERS) if prefix not in in_use)
    wishes = [wish.upper()] if _PREFIX.fullmatch(wish.upper()) else []
    return next(prefix for prefix in itertools.chain(wishes, _prefixes()) if prefix not in in_use)


def _prefixes() -> Iterator[str]:
    """A, B, D … AA, AB …: without the letters that look like a digit."""
    for length in itertools.count(1):
        yield from ("".join(letters) for letters in itertools.product(_PREFIX_LETTERS, repeat=length))


def _grants(definitions: Definitions, wish: Sequence[str], most: Sequence[str]) -> tuple[str, ...]:
    """The grants of a kiosk: those that it asks for, as far as the code allows them.

    A kind that the code allows stays a kind, so that a change of the kind at the centre reaches the kiosk. Of any
    other grant, the actions that both allow stay.
    """
    if not wish:
        return tuple(most)
    named = tuple(name for name in wish if name in most)
    allowed, covered = definitions.granted(most), definitions.granted(named)
    return (*named, *(name for name in definitions.granted(wish) if name in allowed and name not in covered))


def _name(request: EnrolRequest) -> str:
    return "".join(letter for letter in request.name if letter.isprintable()).strip()[:64]
