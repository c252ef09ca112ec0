"""The tokens of kiosks, for an operator: ask kiosks to renew theirs, and what the list of kiosks says of them."""

from collections.abc import Sequence
from typing import Any

from sync.central.centre import Centre
from sync.central.kiosks.renewal import RENEW_AFTER_MS, renewal_is_due
from sync.central.operations import TellingOperation
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.kiosk_tokens import tokens_of_kiosk
from sync.central.records.kiosks import Kiosk, ask_for_renewal, kiosks
from sync.central.services.requester import Requester
from sync.central.services.told import AboutNobody, Telling
from sync.central.store.news import KiosksToTell
from sync.central.store.transactions import ReadTransaction
from sync.control import ControlError


def kiosk_token_operations(centre: Centre, operator: Requester) -> dict[str, TellingOperation]:
    """The operations on tokens of kiosks, by name."""
    return {"kiosk-renew": lambda arguments: _renew(centre, operator, arguments.get("kiosk_ids") or ())}


def view_of_tokens(db: ReadTransaction, kiosk: Kiosk, now_ms: int) -> dict[str, Any] | None:
    """The tokens of a kiosk as times (UTC ms); None for a revoked kiosk.

    - `created_ms`, `renews_ms`: when the present one was made, and is replaced by itself.
    - `asked_ms`: when an operator asked for a newer one, else None. `due`: the kiosk is told to ask for it.
    - `newer_ms`: when a newer one was made that the kiosk has not used yet, else None.
    - `former_until_ms`: until when the former one is valid, else None.
    """
    tokens = tokens_of_kiosk(db, kiosk.kiosk_id)
    if tokens is None:
        return None
    return {
        "created_ms": tokens.present.created_ms,
        "renews_ms": tokens.present.created_ms + RENEW_AFTER_MS,
        "asked_ms": kiosk.renewal_asked_ms,
        "due": renewal_is_due(kiosk, tokens.present.created_ms, now_ms),
        "newer_ms": tokens.newer.created_ms if tokens.newer else None,
        "former_until_ms": tokens.former_until_ms(now_ms),
    }


def _renew(centre: Centre, operator: Requester, kiosk_ids: Sequence[str]) -> Telling:
    """Asks these kiosks for a newer token, or all that are not revoked. Tells their ids.

    The answer to a pull tells a kiosk, and pulls that wait are answered at once.
    """
    now_ms = centre.clock()
    with centre.store.write() as db:
        asked = kiosk_ids or [each.kiosk_id for each in kiosks(db) if each.revoked_ms is None]
        for kiosk_id in asked:
            if not ask_for_renewal(db, kiosk_id, now_ms):
                raise ControlError(f"there is no kiosk {kiosk_id[:64]}, or it was revoked")
        note(db, operator.who, AuditKind.KIOSK_RENEW, now_ms, detail={"kiosk_ids": list(asked)})
        db.news.append(KiosksToTell(db.next_change()))
    return AboutNobody(list(asked))
