"""The pages around the sign-in: sign in, the first steps with a one-time code, and one's own account."""

import re

from flask import Blueprint, Response, redirect, request

from sync.central.centre import Centre
from sync.central.services.passwords import LONGEST, SHORTEST
from sync.central.web.staff.pages import HOME
from sync.central.web.staff.shell import SIGN_IN, Frame, Shell
from sync.central.web.staff.visitor import visitor_here
from sync.words.text import N_

WELCOME, ME = f"{HOME}welcome", f"{HOME}me"
# A path of a page of staff: a sign-in leads nowhere else, whatever a link says.
_OWN_PATH = re.compile(rf"{HOME}[a-z0-9-]*")


def add_sign_in_pages(api: Blueprint, shell: Shell, centre: Centre) -> None:
    """Adds the pages to those of the shell."""

    def sign_in() -> Response:
        if visitor_here(centre) is not None:
            return _lead(next_page())
        return shell.draw(Frame("sign-in", N_("Sign in"), {"next": next_page()}), None)

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
