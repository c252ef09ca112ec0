"""Whether an ID token holds: who signed it, for whom, until when, for which sign-in (OpenID Connect Core, 3.1.3.7)."""

from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sync.central.sign_on.errors import ProviderError

# Signatures alone, and none by a secret that the centre shares with the provider.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
SKEW_S = 60  # by which the clocks of provider and centre may differ


def checked_claims(
    token: str, keys: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, now_s: int
) -> Mapping[str, Any]:
    """The claims of an ID token. Raises ProviderError where one of them does not hold."""
    try:
        claims = jwt.decode(token, KeySet.import_key_set(dict(keys)), algorithms=list(ALGORITHMS)).claims  # type: ignore[arg-type]
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise ProviderError(f"the ID token has no good signature: {type(error).__name__}") from error
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    _demand(claims.get("iss") == issuer, "is of another issuer")
    _demand(client_id in named, "is for another client")
    _demand(len(named) == 1 or claims.get("azp") == client_id, "was given to another client")
    _demand(claims.get("azp", client_id) == client_id, "was given to another client")
    _demand(_is_time(claims.get("exp")) and claims["exp"] > now_s - SKEW_S, "has expired")
    _demand(_is_time(claims.get("iat")) and claims["iat"] < now_s + SKEW_S, "was issued in the future")
    _demand(_is_time(claims.get("nbf", 0)) and claims.get("nbf", 0) < now_s + SKEW_S, "is not valid yet")
    _demand(claims.get("nonce") == nonce, "belongs to another sign-in")
    subject = claims.get("sub")
    _demand(isinstance(subject, str) and 0 < len(subject) <= 255, "names nobody")
    return claims


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise ProviderError(f"the ID token {what}")


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
