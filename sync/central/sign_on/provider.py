"""The provider of OpenID Connect: what it says of itself, where a sign-in begins, and who a code is about.

The way is that of the authorization code with PKCE (RFC 7636). The provider's word on itself is read again each hour.
"""

import base64
import hashlib
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import requests

from sync.central.records.sign_in_settings import Provider
from sync.central.sign_on.errors import ProviderError
from sync.central.tls.trust import OfTheSystem

_PATIENCE_S = (3.05, 5.0)
_MOST_BYTES = 1024 * 1024
_FRESH_S = 3600.0
_DISCOVERY = "/.well-known/openid-configuration"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Endpoints(msgspec.Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str = ""


class ProviderClient:
    """Speaks with providers. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Endpoints]] = {}

    def endpoints(self, provider: Provider) -> Endpoints:
        """What a provider says of itself. Raises ProviderError."""
        with self._lock:
            read_s, known = self._known.get(provider.issuer, (0.0, None))
        if known is not None and time.monotonic() - read_s < _FRESH_S:
            return known
        found: Endpoints = _read(Endpoints, _ask("GET", provider.issuer.rstrip("/") + _DISCOVERY))
        if found.issuer != provider.issuer:
            raise ProviderError("the provider says that it is another issuer")
        for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri, found.userinfo_endpoint):
            demand_protected(url)
        with self._lock:
            self._known[provider.issuer] = (time.monotonic(), found)
        return found

    def sign_in_url(self, provider: Provider, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser is led to sign in. Raises ProviderError."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(provider.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return _with_query(self.endpoints(provider).authorization_endpoint, query)

    def claims(self, provider: Provider, redirect_uri: str, code: str, nonce: str, verifier: str) -> Mapping[str, Any]:
        """The claims about the person whom a code is about. Raises ProviderError."""
        endpoints = self.endpoints(provider)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": provider.client_id,
            "code_verifier": verifier,
        }
        # RFC 6749, 2.3.1: both are encoded as a form has them, before they are joined.
        secret = (quote(provider.client_id, safe=""), quote(provider.client_secret, safe=""))
        # It loads a library for signatures, which a centre without a provider does without.
        from sync.central.sign_on.id_token import checked_claims

        tokens = _read(
            _Tokens, _ask("POST", endpoints.token_endpoint, data=form, auth=secret if provider.client_secret else None)
        )
        keys = msgspec.json.decode(_ask("GET", endpoints.jwks_uri))
        claims = checked_claims(
            tokens.id_token,
            keys,
            issuer=provider.issuer,
            client_id=provider.client_id,
            nonce=nonce,
            now_s=int(time.time()),
        )
        if provider.claim in claims or not (endpoints.userinfo_endpoint and tokens.access_token):
            return claims
        return self._with_userinfo(endpoints, tokens, claims)

    def sign_out_url(self, provider: Provider, back: str) -> str:
        """Where a browser is led to sign out at the provider too; empty where the provider has no such page."""
        where = self.endpoints(provider).end_session_endpoint
        query = {"client_id": provider.client_id, "post_logout_redirect_uri": back}
        return _with_query(where, query) if where else ""

    def _with_userinfo(self, endpoints: Endpoints, tokens: _Tokens, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """The claims with those that the provider gives apart. Its answer has to be about the same person."""
        answer = _ask("GET", endpoints.userinfo_endpoint, headers={"Authorization": f"Bearer {tokens.access_token}"})
        more = _read(dict[str, Any], answer)
        if more.get("sub") != claims["sub"]:
            raise ProviderError("the provider tells of another person")
        return {**more, **claims}


def demand_protected(url: str) -> None:
    """Raises ProviderError for a URL over which passwords and tokens would cross a network in clear."""
    parts = urlsplit(url)
    if url and parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ProviderError("the provider is not reached by https")


def _ask(method: str, url: str, **more: Any) -> bytes:
    demand_protected(url)
    session = requests.Session()
    session.mount("https://", OfTheSystem())
    more.setdefault("auth", None)
    more["auth"] = more["auth"] or _without_login
    try:
        with session.request(method, url, timeout=_PATIENCE_S, allow_redirects=False, stream=True, **more) as answer:
            body: bytes = answer.raw.read(_MOST_BYTES, decode_content=True)
            if answer.status_code != 200:
                raise ProviderError(f"the provider answers {answer.status_code}")
            return body
    except (requests.RequestException, OSError, ValueError) as error:
        raise ProviderError(f"the provider does not answer: {type(error).__name__}") from error


def _read(kind: type[Any], body: bytes) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, ValueError) as error:
        raise ProviderError("the provider's answer is not of its form") from error


def _with_query(url: str, query: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


def _without_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Adds no login: `requests` would look for one in ~/.netrc."""
    return request
