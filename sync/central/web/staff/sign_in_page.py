"""The pages around the sign-in: sign in, the first steps with a one-time code, and one's own account."""

import re
from collections.abc import Mapping

from flask import Blueprint, Response, redirect, request

from sync.central.centre import Centre
from sync.central.services.passwords import LONGEST, SHORTEST
from sync.central.sign_on.errors import Trouble
from sync.central.sign_on.sign_on import provider_of
from sync.central.web.staff.pages import HOME
from sync.central.web.staff.shell import SIGN_IN, Frame, Shell
from sync.central.web.staff.visitor import visitor_here
from sync.words.text import N_

_PROVIDER = N_("the hospital's account")
_TROUBLES: Mapping[str, str] = {
    Trouble.PROVIDER: N_("Single sign-on is not possible now. Sign in with your password, or try again later."),
    Trouble.STALE: N_("The sign-in took too long or was begun elsewhere. Please try again."),
    Trouble.NO_DUTY: N_("You are signed in there, but have no duty here. Ask an administrator."),
    Trouble.DISABLED: N_("This account is disabled. An administrator can enable it."),
}
WELCOME, ME = f"{HOME}welcome", f"{HOME}me"
# A path of a page of staff: a sign-in leads nowhere else, whatever a link says.
_OWN_PATH = re.compile(rf"{HOME}[a-z0-9-]*")


def add_sign_in_pages(api: Blueprint, shell: Shell, centre: Centre) -> None:
    """Adds the pages to those of the shell."""

    def sign_in() -> Response:
        if visitor_here(centre) is not None:
            return _lead(next_page())
        provider = provider_of(centre)
        label = provider.label or _PROVIDER if provider else ""
        trouble = _TROUBLES.get(request.args.get("trouble", ""), "")
        values = {"next": next_page(), "provider": label, "trouble": trouble}
        return shell.draw(Frame("sign-in", N_("Sign in"), values), None)

    def welcome() -> Response:
        values = {"shortest": SHORTEST, "longest": LONGEST}
        return shell.draw(Frame("welcome", N_("Your account"), values), None)

    def me() -> Response:
        visitor = visitor_here(centre)
        if visitor is None:
            return shell.to_sign_in()
        values = {"shortest": SHORTEST, "longest": LONGEST}
        return shell.draw(Frame("me", N_("My account"), values), visitor)

    shell.add_view(api, SIGN_IN, "sign-in", sign_in)
    shell.add_view(api, WELCOME, "welcome", welcome)
    shell.add_view(api, ME, "me", me)


def next_page() -> str:
    """The page that a sign-in leads to."""
    wanted = request.args.get("next", HOME)
    return wanted if _OWN_PATH.fullmatch(wanted) else HOME


def _lead(path: str) -> Response:
    response = redirect(path, 303)
    assert isinstance(response, Response)
    return response
