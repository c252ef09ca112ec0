"""A kiosk's token is replaced once a month, or when an operator asks for it. No call fails meanwhile.

The kiosk asks for a newer token with its present one. Both are valid until the newer one is used for the first time,
and the former one for five minutes more. So a kiosk whose answer was lost, or whose power went, has a valid token.

A token that is used later is a copy: somebody has the kiosk's disk, or its disk was set back. Staff get a case.
"""

import logging
from collections.abc import Collection

from sync.central.centre import Centre
from sync.central.kiosks.refusals import of_other_site, replaced, sender_of, stranger, unsupported
from sync.central.records.cases import REPLACED_IN_USE, NewCase, has_open_case, open_case
from sync.central.records.kiosk_tokens import KioskToken, delete_unused, kiosk_token_of, tokens_of_kiosk
from sync.central.records.kiosks import Kiosk
from sync.central.records.tokens import hash_of, id_of, issue
from sync.clock import DAY_MS
from sync.journey.model import Role
from sync.protocol import SUPPORTED_VERSIONS, CallRefused, EndCode, TokenAnswer, TokenRequest

log = logging.getLogger(__name__)

RENEW_AFTER_MS = 30 * DAY_MS
NOT_DUE_S = 60.0


def renewal_is_due(kiosk: Kiosk, made_ms: int | None, now_ms: int) -> bool:
    """Whether a kiosk is to ask for a newer token. Its present one was made at `made_ms`; None where it has none."""
    if made_ms is None:
        return False
    # A clock that was corrected may put the making of a token far into the future. The newer token is made now.
    return kiosk.renewal_asked_ms is not None or abs(now_ms - made_ms) >= RENEW_AFTER_MS


def renew_token(
    centre: Centre,
    token_hash: str,
    kiosk_id: str,
    request: TokenRequest,
    versions: Collection[int] = SUPPORTED_VERSIONS,
) -> TokenAnswer | CallRefused:
    """Makes a newer token for a kiosk, where one is due. `token_hash` is that of the token of the call.

    A repeat makes another one, and ends the one before, which nobody has used.
    """
    if request.protocol_version not in versions:
        return unsupported(versions)
    with centre.store.write() as db:
        refused = of_other_site(db, request.site_id)
        if refused is not None:
            return refused
        now_ms, sender = centre.clock(), sender_of(db, kiosk_id, request.kiosk_id)
        if isinstance(sender, CallRefused):
            return sender
        asking = kiosk_token_of(db, token_hash)
        if asking is None or asking.replaced_ms is not None:
            return replaced(request.site_id, token_hash)
        tokens = tokens_of_kiosk(db, kiosk_id)
        if not renewal_is_due(sender, tokens.present.created_ms if tokens else None, now_ms):
            error = "the token is not due to be renewed"
            return CallRefused(code=EndCode.TRY_LATER, error=error, retry_after_s=NOT_DUE_S)
        delete_unused(db, kiosk_id, but=token_hash)
        token = issue(db, Role.KIOSK, now_ms, kiosk_id=kiosk_id, name=sender.name)
    return TokenAnswer(site_id=request.site_id, token=token, versions=tuple(sorted(versions)))


def refuse_stranger(centre: Centre, claimed_site: str | None, token: str | None) -> CallRefused:
    """The answer to a call without a kiosk's valid token. Staff get a case where the token is a replaced one.

    Raises NoSite.
    """
    with centre.store.read() as db:
        refused = stranger(db, claimed_site, token)
        used = kiosk_token_of(db, hash_of(token)) if token and refused.code is EndCode.REPLACED else None
        if used is None or has_open_case(db, REPLACED_IN_USE, used.kiosk_id):
            return refused
    _tell_staff(centre, used)
    return refused


def _tell_staff(centre: Centre, used: KioskToken) -> None:
    log.warning("a replaced token of kiosk %s was used: its disk was copied or set back", used.kiosk_id)
    token_id = id_of(used.token_hash)
    with centre.store.write() as db:
        now_ms = centre.clock()
        if has_open_case(db, REPLACED_IN_USE, used.kiosk_id):
            return
        detail = {"token": token_id, "replaced_ms": used.replaced_ms}
        open_case(db, centre.ids(), NewCase(REPLACED_IN_USE, used.kiosk_id, detail), now_ms)
