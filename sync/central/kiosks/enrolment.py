"""Enrolment: a one-use code makes a machine a kiosk of this site. The centre gives it its id, prefix and grants.

Codes and tokens are shown once and stored as hashes. A request that knows a code is never refused for the wrong codes
of others, since anybody could stop all enrolments then. Guessing is hopeless without a lock: there are 31^10 codes,
8 * 10^14. 10,000 guesses a second, for the ten minutes of one code, have one chance in 130 million. So the
limits on wrong codes only bound the work and the rows that these cause. Wrong codes are counted by network address.

A kiosk whose answer was lost asks again with the same `attempt`, a random text that nobody else knows. Code and attempt
make the token, so the repeat gets the same answer.
"""

import hashlib
import hmac
import itertools
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sync.cards import CardKeys
from sync.central.centre import Centre
from sync.central.kiosks.enrolment_cases import note_cut_grants, note_refused_enrolment
from sync.central.maintenance.restore_gap import ON_PAPER_MS, prefixes_uncertain, random_prefixes, was_restored
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.catching_up import note_catching_up
from sync.central.records.enrolment import EnrolCode, add_code, add_failure, count_failures, read_code, use_code
from sync.central.records.kiosks import Kiosk, add_kiosk, prefixes_since, read_kiosk
from sync.central.records.site import SiteSettings, read_site
from sync.central.records.tokens import bearer, issue, token_of
from sync.central.services.refused_access import note_refusal, origin_of
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.journey.definitions import ENTRANCE, Definitions
from sync.journey.model import KioskId, Role
from sync.protocol import CallRefused, EndCode, Enrolment, EnrolRequest

CODE_LIFE_MS = 10 * 60 * 1000
FAILURE_WINDOW_MS = 60 * 1000
FAILURES_OF_ONE = 5  # wrong codes a minute from one address, and from all of them
FAILURES_OF_ALL = 50
# The code was wrong, or came after too many wrong ones, or was made for other actions.
_REFUSED_CODES = frozenset({EndCode.NOT_KNOWN, EndCode.TRY_LATER})

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
    add_code(db, EnrolCode(_hash(code), tuple(grants), secrets.token_hex(), now_ms), CODE_LIFE_MS)
    return f"{code[:5]}-{code[5:]}"


def enrol_kiosk(centre: Centre, message: EnrolRequest, address: str) -> Enrolment | CallRefused:
    """Enrols the kiosk that sent a message from a network address, or says why not."""
    now_ms, origin = centre.clock(), origin_of(address)
    with centre.store.read() as view:
        # Without a write: a flood of wrong codes must not keep the writer busy.
        settings, is_known = read_site(view), read_code(view, _typed_hash(message.code)) is not None
        limited = None if is_known else _limited(view, origin, now_ms)
    if limited is not None:
        return _refused(centre, limited, address)
    with centre.store.write() as db:
        outcome = enrol(db, settings, centre.definitions, centre.keys.published, message, origin, now_ms)
        if isinstance(outcome, Enrolment):
            detail = {"from": address, "prefix": outcome.ticket_prefix, "actions": outcome.actions}
            note(db, outcome.kiosk_id, AuditKind.ENROLLED, now_ms, detail=detail)
            note_cut_grants(db, centre, message, outcome)
        else:
            note_refused_enrolment(db, centre, outcome.code, outcome.error, address)
    return _refused(centre, outcome, address) if isinstance(outcome, NotEnrolled) else outcome


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
    A kiosk that keeps actions of another site is refused before its code is looked at. Only a code that never was is a
    wrong one: to come second with a right code is no guess.
    """
    if request.kept > 0 and request.site_id != settings.site_id:
        return NotEnrolled("this kiosk keeps actions of another site, which would be lost here", EndCode.OTHER_SITE)
    code = read_code(db, _typed_hash(request.code))
    if code is None:
        return _wrong_code(db, origin, now_ms)
    if abs(now_ms - code.created_ms) >= CODE_LIFE_MS:
        return NotEnrolled("this code is older than ten minutes: make a new one at the centre")
    token = token_of(_keyed(code.secret, request.attempt or secrets.token_hex()))
    if code.kiosk_id is not None:
        kiosk = _same_machine(db, code.kiosk_id, token, now_ms)
        if kiosk is None:
            return NotEnrolled("this code is used: make a new one at the centre")
        return _enrolment(kiosk, token, settings, definitions, keys)
    grants = _grants(definitions, request.actions, code.grants)
    if not grants:
        return NotEnrolled(f"this code is for: {', '.join(code.grants)}; this kiosk asks for other actions")
    kiosk = _new_kiosk(db, request, settings, grants, now_ms)
    use_code(db, code.code_hash, kiosk.kiosk_id)
    issue(db, Role.KIOSK, now_ms, kiosk_id=kiosk.kiosk_id, name=kiosk.name, token=token)
    return _enrolment(kiosk, token, settings, definitions, keys)


def _refused(centre: Centre, refusal: NotEnrolled, address: str) -> CallRefused:
    if refusal.code in _REFUSED_CODES:
        note_refusal(centre, AuditKind.REFUSED_CODE, address)
    return CallRefused(code=refusal.code, error=refusal.error, retry_after_s=refusal.retry_after_s)


def _wrong_code(db: WriteTransaction, origin: str, now_ms: int) -> NotEnrolled:
    limited = _limited(db, origin, now_ms)
    if limited is not None:
        return limited
    add_failure(db, origin, now_ms, FAILURE_WINDOW_MS)
    return NotEnrolled("this code is unknown or older than ten minutes: make a new one at the centre")


def _same_machine(db: ReadTransaction, kiosk_id: str, token: str, now_ms: int) -> Kiosk | None:
    """The kiosk that a code has made, for the machine that has asked before; None for any other machine."""
    holder = bearer(db, token, now_ms)
    return read_kiosk(db, kiosk_id) if holder is not None and holder.kiosk_id == kiosk_id else None


def _new_kiosk(
    db: WriteTransaction, request: EnrolRequest, settings: SiteSettings, grants: tuple[str, ...], now_ms: int
) -> Kiosk:
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
    return kiosk


def _enrolment(kiosk: Kiosk, token: str, settings: SiteSettings, definitions: Definitions, keys: CardKeys) -> Enrolment:
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


def _limited(db: ReadTransaction, origin: str, now_ms: int) -> NotEnrolled | None:
    failures = count_failures(db, origin, now_ms, FAILURE_WINDOW_MS)
    if failures.first_ms is None or (failures.of_one < FAILURES_OF_ONE and failures.of_all < FAILURES_OF_ALL):
        return None
    wait_s = min(max(1.0, (failures.first_ms + FAILURE_WINDOW_MS - now_ms) / 1000), FAILURE_WINDOW_MS / 1000)
    return NotEnrolled("too many wrong codes; wait a minute", EndCode.TRY_LATER, wait_s)


def _keyed(secret: str, text: str) -> bytes:
    return hmac.digest(bytes.fromhex(secret), text.encode(), "sha256")


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
