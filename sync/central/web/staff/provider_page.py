"""Single sign-on in the browser: the way to the provider, and the way back.

The way back comes by a link of the provider, so the browser keeps strict cookies back. What binds it to the sign-in is
in a cookie of ten minutes that is lax, and the page that takes it goes on by itself.
"""

from flask import Blueprint, Response, redirect, request

from sync.central.centre import Centre
from sync.central.network.web_settings import WebSettings
from sync.central.records.provider_attempts import LIFE_MS
from sync.central.sign_on.errors import ProviderError, Trouble
from sync.central.sign_on.provider import ProviderClient
from sync.central.sign_on.sign_on import CameBack, finish, provider_of, start
from sync.central.web.senders import is_in_clear
from sync.central.web.sign_in_api import set_cookies, visitor
from sync.central.web.staff.pages import HOME
from sync.central.web.staff.shell import SIGN_IN, Shell
from sync.central.web.staff.sign_in_page import next_page

START, BACK, END = f"{HOME}provider", f"{HOME}provider/back", f"{HOME}provider/end"
_COOKIE = "nk_provider"


def add_provider_pages(api: Blueprint, shell: Shell, centre: Centre, web: WebSettings) -> None:
    """Adds the ways to those of the shell."""
    client = ProviderClient()

    def base() -> str:
        return web.public_url or request.host_url.rstrip("/")

    @api.get(START)
    def to_provider() -> Response:
        started = Trouble.PROVIDER if is_in_clear(web) else start(centre, client, base() + BACK, next_page())
        if isinstance(started, Trouble):
            return _to(f"{SIGN_IN}?trouble={started}")
        response = _to(started.url)
        _set_cookie(response, started.state)
        return response

    @api.get(BACK)
    def from_provider() -> Response:
        named = (request.args.get(name, "") for name in ("state", "code", "iss"))
        state, code, issuer = (each[:4096] for each in named)
        came = CameBack(state, request.cookies.get(_COOKIE, ""), code, issuer)
        finished = finish(centre, client, base() + BACK, came, visitor())
        if isinstance(finished, Trouble):
            response = shell.go_on(f"{SIGN_IN}?trouble={finished}")
        else:
            response = shell.go_on(finished[1])
            set_cookies(response, finished[0])
        _set_cookie(response, "")
        return response

    @api.get(END)
    def sign_out_there() -> Response:
        provider = provider_of(centre)
        try:
            url = client.sign_out_url(provider, base() + SIGN_IN) if provider else ""
        except ProviderError:
            url = ""
        return _to(url or SIGN_IN)


def _set_cookie(response: Response, state: str) -> None:
    response.set_cookie(
        _COOKIE,
        state,
        max_age=LIFE_MS // 1000 if state else 0,
        path=START,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )


def _to(url: str) -> Response:
    response = redirect(url, 303)
    assert isinstance(response, Response)
    return response
