"""The signature of a webhook's messages, by the specification of Standard Webhooks (symmetric, v1)."""

import base64
import hmac
import secrets
from collections.abc import Mapping, Sequence

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_SHOWN = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """A secret in base64."""
    return base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def shown(secret: str) -> str:
    """A secret as its receiver gets it."""
    return _SHOWN + secret


def signed_headers(secrets_in_use: Sequence[str], message_id: str, at_s: int, body: bytes) -> Mapping[str, str]:
    """The headers that name a message and sign it, with a signature for each secret. `at_s` is the time of the try."""
    content = f"{message_id}.{at_s}.".encode() + body
    signatures = [hmac.digest(base64.b64decode(each), content, "sha256") for each in secrets_in_use]
    shown_signatures = " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signatures)
    return dict(zip(HEADERS, (message_id, str(at_s), shown_signatures), strict=True))
