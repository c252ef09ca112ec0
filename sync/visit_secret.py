"""The secret of a visit: a kiosk shows it as a QR code, and it opens the visit at the centre.

It is 128 random bits. The kiosk has it while the screen shows it, and sends its SHA-256 alone.
"""

import base64
import hashlib
import re
import secrets

PREFIX = "nv_"  # scanners of logs and repositories recognise a secret by this prefix
_FORM = re.compile(PREFIX + "[A-Za-z0-9_-]{22}")
_HASH = re.compile("[0-9a-f]{64}")


def make_secret() -> str:
    """A secret that nobody can guess."""
    return PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()


def hash_of_secret(secret: str) -> str:
    """SHA-256 (hex) of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret(text: str) -> bool:
    """Whether a text has the form of a secret."""
    return _FORM.fullmatch(text) is not None


def is_hash(text: str) -> bool:
    """Whether a text has the form of the hash of a secret."""
    return _HASH.fullmatch(text) is not None
