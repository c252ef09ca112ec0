"""A certificate and its key from PEM files, for either end of a TLS connection."""

import ssl
from pathlib import Path

_BEGIN = b"-----BEGIN CERTIFICATE-----"


class UnusablePair(OSError):
    """A certificate or its key cannot be used. `of_key` says which file is at fault; the message names it."""

    def __init__(self, path: str, why: str, *, of_key: bool) -> None:
        super().__init__(f"{path}: {why}")
        self.of_key = of_key


def load_pair(context: ssl.SSLContext, certificate: str, key: str = "") -> None:
    """Has a context show a certificate. Without `key`, the file of the certificate holds the key too.

    Raises UnusablePair.
    """
    content = _read(certificate, of_key=False)
    if _BEGIN not in content:
        raise UnusablePair(certificate, f"no certificate in PEM{der_hint(content)}", of_key=False)
    if key:
        _read(key, of_key=True)
    try:
        context.load_cert_chain(certificate, key or None, password=_refuse_password)
    except _EncryptedKey as error:
        why = "the key has a password; store it without one (0600)"
        raise UnusablePair(key or certificate, why, of_key=bool(key)) from error
    except (ssl.SSLError, OSError) as error:
        mismatch = isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH"
        why = "the key is not that of the certificate" if mismatch else "a certificate and its key in PEM are needed"
        raise UnusablePair(key or certificate, why, of_key=bool(key)) from error


def der_hint(content: bytes) -> str:
    """Advice for a file in DER, the form in which Windows exports a certificate. Empty for any other file."""
    return ", but one in DER: convert it by openssl x509 -inform DER" if content.startswith(b"\x30\x82") else ""


class _EncryptedKey(ValueError):
    pass


def _refuse_password() -> str:
    # OpenSSL would ask on the terminal, where nobody sits.
    raise _EncryptedKey


def _read(path: str, *, of_key: bool) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UnusablePair(path, error.strerror or str(error), of_key=of_key) from error
    except ValueError as error:  # a NUL in the path
        raise UnusablePair(repr(path), "not the path of a file", of_key=of_key) from error
