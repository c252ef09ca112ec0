"""The refusals of both push and pull: another site, an unknown kiosk, and an unsupported version of the protocol."""

from collections.abc import Collection

from sync.central.records.kiosks import Kiosk, read_kiosk
from sync.central.records.site import read_site
from sync.central.store.transactions import ReadTransaction
from sync.protocol import CallRefused, EndCode


def sender_of(db: ReadTransaction, kiosk_id: str, claimed_id: str) -> Kiosk | CallRefused:
    """The kiosk that sent a call. `kiosk_id` is from its token, `claimed_id` from its message."""
    kiosk = read_kiosk(db, kiosk_id)
    if kiosk is None or kiosk.revoked_ms is not None or claimed_id != kiosk_id:
        return fenced(read_site(db).site_id)
    return kiosk


def stranger(db: ReadTransaction, claimed_site: str | None) -> CallRefused:
    """The answer to a call without a valid token. `claimed_site` is the site in its message, None where it is unknown.

    A kiosk of another site is not fenced: it would forget its own site's patients. Raises NoSite.
    """
    refused = None if claimed_site is None else of_other_site(db, claimed_site)
    return refused or fenced(read_site(db).site_id)


def of_other_site(db: ReadTransaction, claimed_site: str) -> CallRefused | None:
    """The refusal of a call that names another site than this one, or none. Raises NoSite."""
    site_id = read_site(db).site_id
    if claimed_site == site_id:
        return None
    error = "this kiosk belongs to another site than this centre: check the address of the centre at the kiosk"
    return CallRefused(code=EndCode.OTHER_SITE, error=error, site_id=site_id)


def fenced(site_id: str) -> CallRefused:
    """The answer to a kiosk that is unknown at this site or revoked."""
    error = "this kiosk is unknown here or revoked: enrol it again"
    return CallRefused(code=EndCode.FENCED, error=error, site_id=site_id)


def unsupported(versions: Collection[int]) -> CallRefused:
    """The answer to a version of the protocol that is none of `versions`."""
    spoken = tuple(sorted(versions))
    listed = ", ".join(str(version) for version in spoken)
    return CallRefused(
        code=EndCode.UNSUPPORTED_VERSION, error=f"this centre speaks protocol versions {listed}", versions=spoken
    )
