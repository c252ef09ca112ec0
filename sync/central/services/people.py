"""The people who sign in, for those who administer: who they are, what they may do, their codes, locks and sessions.

Whatever takes something away from a person ends the person's sessions at once, with their sockets. Nothing takes the
last administrator away.
"""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.account_codes import (
    account_codes,
    add_account_code,
    end_account_code,
    end_codes_made_by,
    end_codes_of_account,
)
from sync.central.records.account_sessions import SessionRecord, end_account_sessions, sessions_of_account
from sync.central.records.accounts import (
    Account,
    account_of_id,
    accounts,
    change_account,
    has_administrator_beside,
)
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.duties import Duty, in_order
from sync.central.records.sign_ins import browsers_of, forget_browsers, forget_failures, read_failures
from sync.central.services.account_codes import made_code
from sync.central.services.errors import ApiError
from sync.central.services.requester import Requester
from sync.central.services.sign_in import who_of
from sync.central.services.sign_in_lock import of_account, of_browser, of_own_password
from sync.central.store.transactions import ReadTransaction, WriteTransaction

MAX_PERSON_NAME = 60
NO_ACCOUNT = ApiError("not_found", "There is no such account.")
NO_CODE = ApiError("not_found", "There is no such code.")
NO_SESSION = ApiError("not_found", "There is no such session.")
LAST_ADMINISTRATOR = ApiError("last_administrator", "The account is the last one in use that may administer.")
_NO_DUTY = ApiError("malformed", "duties must name one duty at least.")
_BLANK = ApiError("malformed", "name must be printable text, and not blank.")
_OF_A_PROVIDER = ApiError("not_applicable", "The person signs in at a provider and has no password here.")
_DUTIES_OF_A_PROVIDER = ApiError("not_applicable", "The provider of single sign-on says what the person's duties are.")
_OWN = ApiError("not_applicable", "The account is your own: choose another password instead.")
_PRINTABLE = {"printable": True}
PersonName = Annotated[str, Meta(min_length=1, max_length=MAX_PERSON_NAME, extra=_PRINTABLE)]


class StaffMember(msgspec.Struct, frozen=True):
    """A person who may sign in. Times are UTC ms.

    `has_password`: the person has chosen one; a code waits where not. `by_provider`: single sign-on is linked.
    `locked_until_ms`: too much was wrong, so nothing is tried before, but for known browsers; null: no lock.
    """

    account_id: str
    login: str
    name: str
    duties: tuple[Duty, ...]
    is_disabled: bool
    has_password: bool
    by_provider: bool
    created_ms: int
    signed_in_ms: int | None
    locked_until_ms: int | None
    code_id: str | None
    code_expires_ms: int | None
    sessions: tuple[SessionRecord, ...]


class Invitation(msgspec.Struct, frozen=True):
    """A code that makes an account and that nobody has used. The code itself was shown once. Times are UTC ms."""

    code_id: str
    name: str
    duties: tuple[Duty, ...]
    made_by: str
    expires_ms: int


class People(msgspec.Struct, frozen=True):
    """All people, by their login names, and the invitations. `now_ms` is the centre's time."""

    people: tuple[StaffMember, ...]
    invitations: tuple[Invitation, ...]
    now_ms: int


class ShownCode(msgspec.Struct, frozen=True):
    """A new code, shown this once. `expires_ms` is UTC ms."""

    code: str
    code_id: str
    expires_ms: int


class Invite(msgspec.Struct, frozen=True):
    """Whom a code invites. `name` may be left for the person to say."""

    duties: tuple[Duty, ...]
    name: Annotated[str, Meta(max_length=MAX_PERSON_NAME, extra=_PRINTABLE)] = ""


class ChangeStaffMember(msgspec.Struct, frozen=True):
    """What changes of a person; what is left out stays."""

    name: PersonName | UnsetType = UNSET
    duties: tuple[Duty, ...] | UnsetType = UNSET
    is_disabled: bool | UnsetType = UNSET


class EndedOfPerson(msgspec.Struct, frozen=True):
    """How many sessions have ended."""

    ended: int


class Withdrawn(msgspec.Struct, frozen=True):
    """The code counts no more."""

    code_id: str


def people(centre: Centre) -> People:
    """All people and invitations."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        codes = account_codes(db, now_ms)
        invitations = tuple(
            Invitation(each.code_id, each.name, in_order(each.duties), each.made_by, each.expires_ms)
            for each in codes
            if each.account_id is None
        )
        found = tuple(_person(db, each, now_ms) for each in accounts(db))
    return People(found, invitations, now_ms)


def invite(centre: Centre, by: Requester, wanted: Invite) -> ShownCode | ApiError:
    """Makes a code by which a person makes an account with these duties."""
    if not wanted.duties:
        return _NO_DUTY
    duties = frozenset(wanted.duties)
    code, row = made_code(centre, None, wanted.name.strip(), duties, by.who)
    with centre.store.write(brief=True) as db:
        add_account_code(db, row)
        _note(db, centre, by, "invite", code_id=row.code_id, duties=in_order(duties))
    return ShownCode(code, row.code_id, row.expires_ms)


def withdraw_code(centre: Centre, by: Requester, code_id: str) -> Withdrawn | ApiError:
    """Ends a code that nobody has used."""
    with centre.store.write(brief=True) as db:
        if not end_account_code(db, code_id):
            return NO_CODE
        _note(db, centre, by, "withdraw-code", code_id=code_id)
    return Withdrawn(code_id)


def change_person(centre: Centre, by: Requester, account_id: str, wanted: ChangeStaffMember) -> StaffMember | ApiError:
    """Changes name, duties or use of an account. Other duties, or none of its use, end its sessions.

    Who may administer no longer has no code left that would open an account.
    """
    if wanted.duties is not UNSET and not wanted.duties:
        return _NO_DUTY
    if wanted.name is not UNSET and not (wanted.name.strip() and wanted.name.isprintable()):
        return _BLANK
    now_ms = centre.clock()
    with centre.store.write(brief=True) as db:
        before = account_of_id(db, account_id)
        if before is None:
            return NO_ACCOUNT
        if before.issuer is not None and wanted.duties is not UNSET:
            return _DUTIES_OF_A_PROVIDER
        after = _changed(before, wanted, now_ms)
        if _takes_administration(before, after) and not has_administrator_beside(db, account_id):
            return LAST_ADMINISTRATOR
        change_account(db, after)
        if (before.duties, before.disabled_ms) != (after.duties, after.disabled_ms):
            end_account_sessions(db, account_id, now_ms)
        if _takes_administration(before, after):
            end_codes_made_by(db, who_of(after))
        if before.disabled_ms is None and after.disabled_ms is not None:
            end_codes_of_account(db, account_id)
            forget_browsers(db, account_id)
        for did, detail in _what_changed(before, after):
            _note(db, centre, by, did, account=after.login, **detail)
        return _person(db, after, now_ms)


def unlock(centre: Centre, by: Requester, account_id: str) -> StaffMember | ApiError:
    """Ends the waits after wrong passwords of a person."""
    now_ms = centre.clock()
    with centre.store.write(brief=True) as db:
        account = account_of_id(db, account_id)
        if account is None:
            return NO_ACCOUNT
        locks = [of_account(account.login), of_own_password(account.login)]
        locks += [of_browser(each) for each in browsers_of(db, account_id)]
        forget_failures(db, [each.whose for each in locks])
        _note(db, centre, by, "unlock", account=account.login)
        return _person(db, account, now_ms)


def reset_password(centre: Centre, by: Requester, account_id: str, *, own: str | None = None) -> ShownCode | ApiError:
    """Takes a person's password away, ends the sessions, and makes a code by which the person chooses another one.

    `own` is the account of who asks: nobody takes the own password away.
    """
    if own == account_id:
        return _OWN
    now_ms = centre.clock()
    with centre.store.write(brief=True) as db:
        account = account_of_id(db, account_id)
        if account is None:
            return NO_ACCOUNT
        if account.issuer is not None:
            return _OF_A_PROVIDER
        code, row = made_code(centre, account_id, account.name, account.duties, by.who)
        change_account(db, replace(account, password_hash=None, password_ms=None))
        end_account_sessions(db, account_id, now_ms)
        forget_browsers(db, account_id)
        add_account_code(db, row)
        _note(db, centre, by, "reset", account=account.login)
    return ShownCode(code, row.code_id, row.expires_ms)


def end_sessions(
    centre: Centre, by: Requester, account_id: str, session_id: str | None = None
) -> EndedOfPerson | ApiError:
    """Ends one session of a person, or all."""
    with centre.store.write(brief=True) as db:
        account = account_of_id(db, account_id)
        if account is None:
            return NO_ACCOUNT
        ended = end_account_sessions(db, account_id, centre.clock(), session_id=session_id)
        if session_id is not None and not ended:
            return NO_SESSION
        _note(db, centre, by, "end-sessions", account=account.login, ended=ended)
    return EndedOfPerson(ended)


def _changed(before: Account, wanted: ChangeStaffMember, now_ms: int) -> Account:
    name = before.name if wanted.name is UNSET else wanted.name.strip()
    duties = before.duties if wanted.duties is UNSET else frozenset(wanted.duties)
    disabled_ms = before.disabled_ms
    if wanted.is_disabled is not UNSET:
        disabled_ms = (disabled_ms or now_ms) if wanted.is_disabled else None
    return replace(before, name=name, duties=duties, disabled_ms=disabled_ms)


def _takes_administration(before: Account, after: Account) -> bool:
    return _administers(before) and not _administers(after)


def _administers(account: Account) -> bool:
    return account.disabled_ms is None and Duty.ADMINISTRATOR in account.duties


def _what_changed(before: Account, after: Account) -> list[tuple[str, dict[str, object]]]:
    found: list[tuple[str, dict[str, object]]] = []
    if before.name != after.name:
        found.append(("rename", {}))
    if before.duties != after.duties:
        found.append(("duties", {"duties": in_order(after.duties)}))
    if (before.disabled_ms is None) != (after.disabled_ms is None):
        found.append(("enable" if after.disabled_ms is None else "disable", {}))
    return found


def _person(db: ReadTransaction, account: Account, now_ms: int) -> StaffMember:
    codes = [each for each in account_codes(db, now_ms) if each.account_id == account.account_id]
    until_ms = read_failures(db, of_account(account.login).whose, now_ms).until_ms
    return StaffMember(
        account.account_id,
        account.login,
        account.name,
        in_order(account.duties),
        account.disabled_ms is not None,
        account.password_hash is not None,
        account.issuer is not None,
        account.created_ms,
        account.signed_in_ms,
        until_ms if until_ms > now_ms else None,
        codes[0].code_id if codes else None,
        codes[0].expires_ms if codes else None,
        tuple(sessions_of_account(db, account.account_id, now_ms)),
    )


def _note(db: WriteTransaction, centre: Centre, by: Requester, did: str, **detail: object) -> None:
    db.asked_from = by.address
    note(db, by.who, AuditKind.ACCOUNT, centre.clock(), detail={"did": did, **detail})
