"""Who sends a request, and which patient it may be about."""

import sqlite3
from collections.abc import Collection
from contextlib import suppress

from sync.central.centre import Centre
from sync.central.records.patients import patient_named
from sync.central.records.tokens import Bearer, bearer, bearer_of_hash, mark_used
from sync.central.services.errors import ApiError
from sync.clock import DAY_MS
from sync.journey.model import PATIENT, STAFF, Actor, PatientId, Role

_UNAUTHORIZED = ApiError("unauthorized", "A valid bearer token is needed.")
_FORBIDDEN = ApiError("forbidden", "This token may not do that.")
_OTHER_PATIENT = ApiError("forbidden", "This token acts for its own patient only.")


def authenticate(centre: Centre, token: str | None, roles: Collection[Role]) -> Bearer | ApiError:
    """The bearer of a valid token of one of these roles."""
    if not token:
        return _UNAUTHORIZED
    with centre.store.read() as db:
        found = bearer(db, token, centre.clock())
    if found is None:
        return _UNAUTHORIZED
    if found.role not in roles:
        return _FORBIDDEN
    _note_use(centre, found)
    return found


def refresh(centre: Centre, sender: Bearer, subject: str | None) -> tuple[Bearer | None, str | None]:
    """The bearer and the subject of an open socket as they are now.

    The bearer is None where the token is no longer valid. Both follow a merge of the patient's record.
    """
    with centre.store.read() as db:
        found = bearer_of_hash(db, sender.token_hash, centre.clock())
        if subject is not None:
            subject = patient_named(db, subject) or subject
    return found, subject


def actor_of(sender: Bearer) -> Actor:
    """A token's bearer as the rules know them."""
    return STAFF if sender.role is Role.STAFF else PATIENT


def subject_of(centre: Centre, sender: Bearer, named: str | None) -> str | ApiError | None:
    """The patient that a request is about; None for a staff request that names no patient.

    A patient's token is for its own patient, under any id: an app may still have the id of a merged record.
    """
    if sender.role is Role.STAFF:
        return named
    own: PatientId | None = sender.patient_id
    if named is None or named == own:
        return own
    with centre.store.read() as db:
        return own if patient_named(db, named) == own else _OTHER_PATIENT


def _note_use(centre: Centre, sender: Bearer) -> None:
    """Notes the use of a token once a day: a write for each request would be one for each look of a board."""
    now_ms = centre.clock()
    if sender.used_ms is not None and abs(now_ms - sender.used_ms) < DAY_MS:
        return
    # A database that takes no writes still answers.
    with suppress(sqlite3.Error), centre.store.write() as db:
        mark_used(db, sender.token_hash, now_ms)
