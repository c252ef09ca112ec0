"""ID tokens that hold and such that do not, with real keys."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from sync.central.sign_on.errors import ProviderError
from sync.central.sign_on.id_token import SKEW_S, checked_claims

NOW_S = 1_800_000_000
KEY, OTHER = RSAKey.generate_key(2048, {"kid": "a"}), RSAKey.generate_key(2048, {"kid": "a"})
KEYS = KeySet([KEY]).as_dict(private=False)
CLAIMS = {"iss": "https://id.example", "aud": "kiosk", "sub": "u", "nonce": "n", "iat": NOW_S, "exp": NOW_S + 300}


def check(token: str) -> Any:
    return checked_claims(token, KEYS, issuer="https://id.example", client_id="kiosk", nonce="n", now_s=NOW_S)


def signed(key: Any = KEY, alg: str = "RS256", **changes: Any) -> str:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    return jwt.encode({"alg": alg, "kid": "a"}, claims, key, algorithms=[alg])


def test_a_token_that_holds_gives_its_claims():
    assert check(signed())["sub"] == "u"
    assert check(signed(aud=["kiosk", "other"], azp="kiosk"))["sub"] == "u"
    assert check(signed(exp=NOW_S - SKEW_S + 1))["sub"] == "u"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://id.example/"},
        {"aud": "other"},
        {"aud": ["kiosk", "other"]},
        {"aud": ["kiosk", "other"], "azp": "other"},
        {"azp": "other"},
        {"aud": None},
        {"nonce": "m"},
        {"nonce": None},
        {"exp": NOW_S - SKEW_S},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": NOW_S + SKEW_S},
        {"iat": None},
        {"nbf": NOW_S + SKEW_S},
        {"sub": ""},
        {"sub": None},
        {"sub": 1},
        {"sub": "x" * 256},
    ],
)
def test_a_token_with_another_claim_does_not_hold(changes: dict[str, Any]):
    with pytest.raises(ProviderError):
        check(signed(**changes))


def test_a_token_of_another_key_or_of_none_does_not_hold():
    head, body, signature = signed().split(".")
    unsigned = "eyJhbGciOiJub25lIn0." + body + "."
    by_secret = jwt.encode({"alg": "HS256"}, CLAIMS, OctKey.import_key("x" * 32), algorithms=["HS256"])
    for token in (
        signed(OTHER),
        unsigned,
        by_secret,
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        "",
        "x",
    ):
        with pytest.raises(ProviderError):
            check(token)
