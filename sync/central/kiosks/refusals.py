"""The refusals of the sync calls: another site, an ended or unknown kiosk, a bad cursor, an unsupported version."""

from collections.abc import Collection

from sync.central.records.kiosks import Kiosk, read_kiosk
from sync.central.records.site import read_site
from sync.central.records.tokens import hash_of, kiosk_token, was_revoked
from sync.central.store.transactions import ReadTransaction
from sync.protocol import CallRefused, EndCode


def sender_of(db: ReadTransaction, kiosk_id: str, claimed_id: str) -> Kiosk | CallRefused:
    """The kiosk that sent a call. `kiosk_id` is from its token, `claimed_id` from its message."""
    kiosk = read_kiosk(db, kiosk_id)
    if kiosk is not None and kiosk.revoked_ms is not None:
        return ended(read_site(db).site_id, kiosk_token(db, kiosk_id))
    if kiosk is None or claimed_id != kiosk_id:
        return not_known(read_site(db).site_id, kiosk_token(db, kiosk_id))
    return kiosk


def stranger(db: ReadTransaction, claimed_site: str | None, token: str | None) -> CallRefused:
    """The answer to a call without a kiosk's valid token. `claimed_site` is the site in its message, None where it is
    unknown. `token` is the token of the call.

    Only a token that was revoked here has ended. A proxy may have dropped the token, and a restored centre may have
    lost it: such a kiosk keeps its patients. Raises NoSite.
    """
    if claimed_site is not None and (refused := of_other_site(db, claimed_site)):
        return refused
    site_id = read_site(db).site_id
    if token is None:
        return not_known(site_id, None)
    token_hash = hash_of(token)
    return (ended if was_revoked(db, token_hash) else not_known)(site_id, token_hash)


def of_other_site(db: ReadTransaction, claimed_site: str) -> CallRefused | None:
    """The refusal of a call that names another site than this one, or none. Raises NoSite."""
    site_id = read_site(db).site_id
    if claimed_site == site_id:
        return None
    error = "this kiosk belongs to another site than this centre: check the address of the centre at the kiosk"
    return CallRefused(code=EndCode.OTHER_SITE, error=error, site_id=site_id)


def ended(site_id: str, token_sha256: str | None) -> CallRefused:
    """The answer to a kiosk that was revoked. `token_sha256` (hex) proves that this is about the very token."""
    error = "this kiosk was revoked: enrol it again"
    return CallRefused(code=EndCode.ENDED, error=error, site_id=site_id, token_sha256=token_sha256)


def not_known(site_id: str, token_sha256: str | None) -> CallRefused:
    """The answer to a call whose token is no kiosk's, or another kiosk's. None: no token came."""
    error = "the token belongs to no kiosk of this name" if token_sha256 else "no token came with the call"
    return CallRefused(code=EndCode.NOT_KNOWN, error=error, site_id=site_id, token_sha256=token_sha256)


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
