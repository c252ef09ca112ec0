"""A person signs in by a provider: the account is that of (issuer, subject), and never one that has a like name.

The provider says the person's name and groups at each sign-in. Its word on the duties is the only one.
"""

import logging
import secrets
import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.account_codes import end_codes_made_by
from sync.central.records.account_sessions import end_account_sessions
from sync.central.records.accounts import (
    MAX_LOGIN,
    Account,
    account_of_login,
    account_of_subject,
    add_account,
    change_account,
    login_of,
)
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.duties import Duty, in_order
from sync.central.records.provider_attempts import ProviderAttempt, add_attempt, take_attempt
from sync.central.records.sign_in_settings import Provider, read_sign_in_settings
from sync.central.records.tokens import hash_of
from sync.central.services.people import MAX_PERSON_NAME
from sync.central.services.refused_access import note_refusal
from sync.central.services.sign_in import Begun, Visitor, begin, who_of
from sync.central.sign_on.errors import ProviderError, Trouble
from sync.central.sign_on.provider import ProviderClient
from sync.central.store.transactions import WriteTransaction

log = logging.getLogger(__name__)


class Started(msgspec.Struct, frozen=True):
    """A sign-in has begun: where the browser is led, and what its cookie holds meanwhile."""

    url: str
    state: str


class CameBack(msgspec.Struct, frozen=True):
    """What a browser brings back from the provider, with what its cookie holds."""

    state: str
    cookie: str
    code: str
    issuer: str = ""


def provider_of(centre: Centre) -> Provider | None:
    """The provider of the site; None without one."""
    with centre.store.glance() as db:
        return read_sign_in_settings(db).provider


def start(centre: Centre, client: ProviderClient, redirect_uri: str, next_page: str) -> Started | Trouble:
    """Begins a sign-in."""
    provider = provider_of(centre)
    if provider is None:
        return Trouble.PROVIDER
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    try:
        url = client.sign_in_url(provider, redirect_uri, state, nonce, verifier)
    except ProviderError as error:
        log.warning("single sign-on: %s", error)
        return Trouble.PROVIDER
    with centre.store.write(brief=True) as db:
        add_attempt(db, ProviderAttempt(hash_of(state), nonce, verifier, next_page, centre.clock()))
    return Started(url, state)


def finish(
    centre: Centre, client: ProviderClient, redirect_uri: str, came: CameBack, visitor: Visitor
) -> tuple[Begun, str] | Trouble:
    """Signs the person in whom the provider names, and returns the page that was wanted."""
    provider = provider_of(centre)
    if not secrets.compare_digest(came.state.encode(), came.cookie.encode()) or provider is None:
        return _refused(centre, Trouble.STALE, visitor)
    with centre.store.write(brief=True) as db:
        attempt = take_attempt(db, hash_of(came.state), centre.clock())
    if attempt is None or came.issuer not in ("", provider.issuer):
        return _refused(centre, Trouble.STALE, visitor)
    try:
        claims = client.claims(provider, redirect_uri, came.code, attempt.nonce, attempt.verifier)
    except ProviderError as error:
        log.warning("single sign-on: %s", error)
        return _refused(centre, Trouble.PROVIDER, visitor)
    try:
        with centre.store.write(brief=True) as db:
            db.asked_from = visitor.address
            account = _account(db, centre, provider, claims)
            if isinstance(account, Account):
                return begin(db, centre, account, visitor, "provider"), attempt.next
    except sqlite3.IntegrityError:
        account = Trouble.STALE  # somebody took the login name at the same time
    return _refused(centre, account, visitor)


def _account(db: WriteTransaction, centre: Centre, provider: Provider, claims: Mapping[str, Any]) -> Account | Trouble:
    """The person's account, with the name and the duties that the provider gives now."""
    known, duties = account_of_subject(db, provider.issuer, claims["sub"]), _duties(provider, claims)
    if known is not None and known.disabled_ms is not None:
        return Trouble.DISABLED
    if known is not None and duties != known.duties:
        _change_duties(db, centre, known, duties)
    if not duties:
        return Trouble.NO_DUTY
    if known is not None:
        return replace(known, name=_name(claims, known.login), duties=duties)
    login, now_ms = _free_login(db, claims), centre.clock()
    made = Account(
        centre.ids(), login, _name(claims, login), duties, now_ms, issuer=provider.issuer, subject=claims["sub"]
    )
    add_account(db, made)
    detail = {"did": "sign-on", "account": login, "duties": in_order(duties)}
    note(db, who_of(made), AuditKind.ACCOUNT, now_ms, detail=detail)
    return made


def _change_duties(db: WriteTransaction, centre: Centre, known: Account, duties: frozenset[Duty]) -> None:
    """Stores what the provider says a person may do now, none included. It ends the sessions of before."""
    now_ms = centre.clock()
    change_account(db, replace(known, duties=duties))
    end_account_sessions(db, known.account_id, now_ms)
    if Duty.ADMINISTRATOR not in duties:
        end_codes_made_by(db, who_of(known))
    detail = {"did": "duties", "account": known.login, "duties": in_order(duties)}
    note(db, who_of(known), AuditKind.ACCOUNT, now_ms, detail=detail)


def _duties(provider: Provider, claims: Mapping[str, Any]) -> frozenset[Duty]:
    groups = claims.get(provider.claim, [])
    named = groups if isinstance(groups, list) else [groups]
    held = [provider.duties.get(each, ()) for each in named if isinstance(each, str)]
    return frozenset(duty for each in held for duty in each)


def _name(claims: Mapping[str, Any], login: str) -> str:
    name = claims.get("name")
    return name.strip()[:MAX_PERSON_NAME] if isinstance(name, str) and name.strip() and name.isprintable() else login


def _free_login(db: WriteTransaction, claims: Mapping[str, Any]) -> str:
    """A login name that nobody has, as near as possible to the one that the provider prefers."""
    wanted = claims.get("preferred_username")
    base = (login_of(wanted) if isinstance(wanted, str) else None) or f"person-{hash_of(claims['sub'])[:8]}"
    tried = (base if number == 1 else f"{base[: MAX_LOGIN - 6]}-{number}" for number in range(1, 10_000))
    return next(each for each in tried if account_of_login(db, each) is None)


def _refused(centre: Centre, trouble: Trouble, visitor: Visitor) -> Trouble:
    note_refusal(centre, AuditKind.REFUSED_SIGN_ON, visitor.address)
    return trouble
