"""The refusals of the sync calls: another site, an ended or unknown kiosk, a replaced token, a bad cursor, a version
that the centre does not speak."""

from collections.abc import Collection

import msgspec

from sync.central.centre import Centre
from sync.central.records.cases import CALL_REFUSED, NewCase, open_or_repeat
from sync.central.records.kiosk_tokens import kiosk_token_of
from sync.central.records.kiosks import Kiosk, read_kiosk
from sync.central.records.site import read_site
from sync.central.records.tokens import hash_of
from sync.central.store.transactions import ReadTransaction
from sync.protocol import CallRefused, EndCode

# A gap and a fork have cases of their own, and so have a made-up cursor and a replaced token. A revoked kiosk that
# still calls is no news.
_TOLD_ELSEWHERE = frozenset({EndCode.GAP, EndCode.FORK, EndCode.BAD_CURSOR, EndCode.REPLACED, EndCode.ENDED})


def report_refusal(centre: Centre, kiosk_id: str, call: str, refused: CallRefused) -> None:
    """Tells staff that a call of a kiosk was refused: one case for each kiosk, call and reason, with their number.

    `kiosk_id` is the kiosk of the token, `call` the name of the call.
    """
    if refused.code in _TOLD_ELSEWHERE:
        return
    detail = {"call": call, "why": refused.code.value}
    new = NewCase(CALL_REFUSED, kiosk_id, detail, matter=f"{call} {refused.code.value}")
    with centre.store.write() as db:
        open_or_repeat(db, centre.ids(), new, centre.clock())


def sender_of(db: ReadTransaction, kiosk_id: str, claimed_id: str) -> Kiosk | CallRefused:
    """The kiosk that sent a call. `kiosk_id` is from its token, `claimed_id` from its message.

    A refusal about the token is without its hash: `about_token` adds it.
    """
    return judged_sender(read_kiosk(db, kiosk_id), claimed_id, read_site(db).site_id)


def judged_sender(kiosk: Kiosk | None, claimed_id: str, site_id: str) -> Kiosk | CallRefused:
    """The kiosk of a token where it may call, as in `sender_of()`."""
    if kiosk is not None and kiosk.revoked_ms is not None:
        return ended(site_id)
    if kiosk is None or claimed_id != kiosk.kiosk_id:
        return not_known(site_id)
    return kiosk


def about_token(refused: CallRefused, token_hash: str) -> CallRefused:
    """A refusal with the hash of the token of the call, where it is about the token."""
    if refused.code not in _ABOUT_TOKEN:
        return refused
    return msgspec.structs.replace(refused, token_sha256=token_hash)


def stranger(db: ReadTransaction, claimed_site: str | None, token: str | None) -> CallRefused:
    """The answer to a call without a kiosk's valid token. `claimed_site` is the site in its message, None where it is
    unknown. `token` is the token of the call.

    Only a token that was revoked here has ended. A proxy may have dropped the token, a restored centre may have lost
    it, and a disk that was set back may hold a replaced one: such a kiosk keeps its patients. Raises NoSite.
    """
    if claimed_site is not None and (refused := of_other_site(db, claimed_site)):
        return refused
    site_id = read_site(db).site_id
    if token is None:
        error = "no token came with the call"
        return CallRefused(code=EndCode.NOT_KNOWN, error=error, site_id=site_id)
    token_hash = hash_of(token)
    known = kiosk_token_of(db, token_hash)
    if known is not None and known.revoked_ms is not None:
        return about_token(ended(site_id), token_hash)
    if known is not None and known.replaced_ms is not None:
        return replaced(site_id, token_hash)
    return about_token(not_known(site_id), token_hash)


def of_other_site(db: ReadTransaction, claimed_site: str) -> CallRefused | None:
    """The refusal of a call that names another site than this one, or none. Raises NoSite."""
    return other_site(read_site(db).site_id, claimed_site)


def other_site(site_id: str, claimed_site: str) -> CallRefused | None:
    """The refusal of a call that names another site than the one of this id, or none."""
    if claimed_site == site_id:
        return None
    error = "this kiosk belongs to another site than this centre: check the address of the centre at the kiosk"
    return CallRefused(code=EndCode.OTHER_SITE, error=error, site_id=site_id)


def ended(site_id: str) -> CallRefused:
    """The answer to a kiosk that was revoked. The hash of its token proves that this is about the very token."""
    return CallRefused(code=EndCode.ENDED, error="this kiosk was revoked: enrol it again", site_id=site_id)


def not_known(site_id: str) -> CallRefused:
    """The answer to a call whose token is no kiosk's, or another kiosk's."""
    error = "the token belongs to no kiosk of this name"
    return CallRefused(code=EndCode.NOT_KNOWN, error=error, site_id=site_id)


def replaced(site_id: str, token_hash: str) -> CallRefused:
    """The answer to a call with a token that a newer one has replaced."""
    error = "a newer token of this kiosk is in use: a copy of its disk is, or its disk was set back; enrol it again"
    return about_token(CallRefused(code=EndCode.REPLACED, error=error, site_id=site_id), token_hash)


def bad_cursor(site_id: str) -> CallRefused:
    """The answer to a pull from a cursor that the centre never gave to the kiosk."""
    error = "the centre never gave this cursor to this kiosk: pull from the beginning"
    return CallRefused(code=EndCode.BAD_CURSOR, error=error, site_id=site_id)


def unsupported(versions: Collection[int]) -> CallRefused:
    """The answer to a version of the protocol that is none of `versions`."""
    spoken = tuple(sorted(versions))
    listed = ", ".join(str(version) for version in spoken)
    return CallRefused(
        code=EndCode.UNSUPPORTED_VERSION, error=f"this centre speaks protocol versions {listed}", versions=spoken
    )


_ABOUT_TOKEN = frozenset({EndCode.ENDED, EndCode.NOT_KNOWN, EndCode.REPLACED})
