"""Tokens that apps get by themselves: a patient's token for a visit's by the birth date, and a newer one for a former.

A birth date is no secret, so it counts beside the secret of a visit alone, and few times. A wrong one, one that the
hospital does not have, and one too many get the same answer.
"""

import secrets

import msgspec

from sync.central.centre import Centre
from sync.central.records.app_tokens import end_named, renew
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.patients import read_patient
from sync.central.records.site import read_site
from sync.central.records.tokens import Bearer, hash_of, id_of, issue
from sync.central.records.visit_tokens import give_try_back, take_try
from sync.central.services.errors import ApiError
from sync.central.services.refused_access import note_refusal
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso
from sync.journey.model import Role

LIFE_MS = 12 * 3600 * 1000  # of a token that a birth date opened
_NOT_IDENTIFIED = ApiError("not_identified", "The birth date is another, or too many were tried. The desk helps.")
_REPLACED = ApiError("token_replaced", "A newer token is in use in place of this one.")


class AppToken(msgspec.Struct, frozen=True):
    """A token of a patient, shown once, and when it ends (null: never)."""

    token: str
    expires_at: str | None


def identify(centre: Centre, sender: Bearer, birth_date: str, address: str | None) -> AppToken | ApiError:
    """A patient's token for the bearer of a visit's who knows the birth date. It ends the one made so before."""
    now_ms, token_id = centre.clock(), id_of(sender.token_hash)
    with centre.store.write(brief=True) as db:
        db.asked_from = address
        may_try = take_try(db, sender.token_hash)
        row = read_patient(db, sender.patient_id) if sender.patient_id else None
        known = (row["birth_date"] if row else None) or ""
        is_right = secrets.compare_digest(known.encode(), birth_date.encode()) and may_try and bool(known)
        if is_right:
            give_try_back(db, sender.token_hash)
            name, expires_ms = f"visit {token_id}", now_ms + LIFE_MS
            end_named(db, sender, name, now_ms)
            token = issue(db, Role.PATIENT, now_ms, patient_id=sender.patient_id, name=name, expires_ms=expires_ms)
            detail = {"token": id_of(hash_of(token))}
            note(db, sender.who, AuditKind.IDENTIFIED, now_ms, patient_id=sender.patient_id, detail=detail)
            return AppToken(token, _end(db, expires_ms))
    note_refusal(centre, AuditKind.REFUSED_BIRTH_DATE, address, sender.who, token_id)
    return _NOT_IDENTIFIED


def renew_app_token(centre: Centre, sender: Bearer, address: str | None) -> AppToken | ApiError:
    """A newer token with as long a life. The sender's own is valid until its first use, and five minutes more."""
    now_ms = centre.clock()
    with centre.store.write(brief=True) as db:
        db.asked_from = address
        made = renew(db, sender, now_ms)
        if made is None:
            return _REPLACED
        token, expires_ms = made
        detail = {"token": id_of(hash_of(token))}
        note(db, sender.who, AuditKind.RENEWED, now_ms, patient_id=sender.patient_id, detail=detail)
        return AppToken(token, _end(db, expires_ms))


def _end(db: ReadTransaction, expires_ms: int | None) -> str | None:
    return None if expires_ms is None else iso(expires_ms, read_site(db).site.timezone)
