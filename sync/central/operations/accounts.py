"""People who sign in, for an operator: invite, list, disable, enable, unlock, reset, and the settings of signing in."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.operations import TellingOperation
from sync.central.records.accounts import account_of_login, login_of
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.duties import Duty
from sync.central.records.sign_in_settings import (
    Provider,
    SignInSettings,
    read_sign_in_settings,
    write_sign_in_settings,
)
from sync.central.services.errors import ApiError
from sync.central.services.people import (
    MAX_PERSON_NAME,
    ChangeStaffMember,
    Invite,
    StaffMember,
    change_person,
    invite,
    people,
    reset_password,
    unlock,
)
from sync.central.services.requester import Requester
from sync.central.services.told import AboutNobody, Telling
from sync.control import ControlError

_NO_NAME = f"a name has {MAX_PERSON_NAME} printable characters at most"


def account_operations(centre: Centre, operator: Requester) -> dict[str, TellingOperation]:
    """The operations on accounts, by name."""

    def of_one(act: Callable[[str], object]) -> TellingOperation:
        return lambda arguments: _told(act(_account_id(centre, str(arguments["login"]))))

    def use(is_disabled: bool) -> Callable[[str], object]:
        return lambda account_id: change_person(
            centre, operator, account_id, ChangeStaffMember(is_disabled=is_disabled)
        )

    return {
        "accounts": lambda _: AboutNobody(people(centre)),
        "account-invite": lambda arguments: _invite(centre, operator, arguments),
        "account-disable": of_one(use(True)),
        "account-enable": of_one(use(False)),
        "account-unlock": of_one(lambda account_id: unlock(centre, operator, account_id)),
        "account-reset": of_one(lambda account_id: reset_password(centre, operator, account_id)),
        "sign-in-settings": lambda arguments: _settings(centre, operator, arguments),
    }


def _invite(centre: Centre, operator: Requester, arguments: Mapping[str, Any]) -> Telling:
    name = str(arguments.get("name") or "")
    if len(name) > MAX_PERSON_NAME or not name.isprintable():
        raise ControlError(_NO_NAME)
    duties = tuple(Duty(each) for each in arguments["duties"])
    return _told(invite(centre, operator, Invite(duties, name)))


def _account_id(centre: Centre, typed: str) -> str:
    with centre.store.read() as db:
        found = account_of_login(db, login_of(typed) or "")
    if found is None:
        raise ControlError(f"nobody has the login name {typed[:80]!r}")
    return found.account_id


def _told(found: object) -> Telling:
    if isinstance(found, ApiError):
        raise ControlError(found.message)
    assert found is None or isinstance(found, StaffMember | msgspec.Struct)
    return AboutNobody(found)


def _settings(centre: Centre, operator: Requester, arguments: Mapping[str, Any]) -> Telling:
    """Changes what is given, and returns the settings without the secret of the provider."""
    given = {name: value for name, value in arguments.items() if value is not None}
    with centre.store.write() as db:
        before = read_sign_in_settings(db)
        after = _changed(before, given)
        if after != before:
            write_sign_in_settings(db, after)
            note(db, operator.who, AuditKind.SITE, centre.clock(), detail={"sign_in": sorted(given)})
    shown = msgspec.to_builtins(after)
    if after.provider is not None:
        shown["provider"]["client_secret"] = bool(after.provider.client_secret)
    return AboutNobody(shown)


def _changed(before: SignInSettings, given: Mapping[str, Any]) -> SignInSettings:
    own = {name: given[name] for name in ("idle_minutes", "end_hours") if name in given}
    settings = msgspec.structs.replace(before, **own)
    if given.get("without_provider"):
        return msgspec.structs.replace(settings, provider=None)
    if "provider" not in given:
        return settings
    known = msgspec.to_builtins(settings.provider) if settings.provider else {}
    try:
        provider = msgspec.convert(known | given["provider"], Provider)
    except msgspec.ValidationError as error:
        raise ControlError(f"the provider is not whole: {error}") from error
    return msgspec.structs.replace(settings, provider=provider)
