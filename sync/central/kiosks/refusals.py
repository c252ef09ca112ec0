"""The refusals of both push and pull: an unknown kiosk, and an unsupported version of the protocol."""

from collections.abc import Collection

from sync.central.records.kiosks import Kiosk, read_kiosk
from sync.central.store.transactions import ReadTransaction
from sync.protocol import CallRefused, EndCode


def sender_of(db: ReadTransaction, kiosk_id: str, claimed_id: str) -> Kiosk | CallRefused:
    """The kiosk that sent a call. `kiosk_id` is from its token, `claimed_id` from its message."""
    kiosk = read_kiosk(db, kiosk_id)
    if kiosk is None or kiosk.revoked_ms is not None or claimed_id != kiosk_id:
        return fenced()
    return kiosk


def fenced() -> CallRefused:
    """The answer to a kiosk that is unknown at this site or revoked."""
    return CallRefused(code=EndCode.FENCED, error="this kiosk is unknown here or revoked: enrol it again")


def unsupported(versions: Collection[int]) -> CallRefused:
    """The answer to a version of the protocol that is none of `versions`."""
    spoken = tuple(sorted(versions))
    listed = ", ".join(str(version) for version in spoken)
    return CallRefused(
        code=EndCode.UNSUPPORTED_VERSION, error=f"this centre speaks protocol versions {listed}", versions=spoken
    )
