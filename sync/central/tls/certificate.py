"""The certificate that the centre shows, from PEM files. A renewed file counts without a restart."""

import logging
import re
import ssl
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sync.certificate import read_certificate
from sync.clock import now_ms
from sync.key_pair import load_pair

log = logging.getLogger(__name__)
_SILENT = logging.Logger("silent")  # without a handler, and without a parent that has one
_SILENT.addHandler(logging.NullHandler())

# A renewal comes weeks before the end. So a certificate that is this near to it was not renewed.
SOON_MS = 14 * 86_400_000
# TLS 1.2: the forward-secret suites of Mozilla's intermediate configuration, without finite-field Diffie-Hellman, which
# no client of these years needs. TLS 1.3 has no other kind.
SUITES = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class CertificateError(OSError):
    """The certificate or its key cannot be used. The message names the file, for the operator."""


@dataclass(frozen=True, slots=True)
class CertificateState:
    """When the certificate in use ends (UTC ms; the first of its chain), and whether that is soon.

    `fault` is why the files as they are now cannot be used; empty where they are in use.
    """

    ends_ms: int
    ends_soon: bool
    fault: str

    @property
    def is_well(self) -> bool:
        """Whether nobody has to do anything."""
        return not self.ends_soon and not self.fault


@dataclass(frozen=True, slots=True)
class _Loaded:
    context: ssl.SSLContext
    ends_ms: int


_Files = tuple[object, ...]


class ServedCertificate:
    """The newest usable certificate of two files. Safe from any thread."""

    def __init__(
        self, certificate: Path, key: Path | None = None, clock: Callable[[], int] = now_ms, *, is_shown: bool = True
    ) -> None:
        """Reads the files. `clock` is UTC ms. Without `key`, the file of the certificate holds the key too.

        Where this process does not show the certificate itself (`is_shown`), the log says nothing of it.

        Raises CertificateError.
        """
        self._certificate = certificate
        self._key = key
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = self._look()
        self._loaded = self._load()
        self._fault = ""
        self._log = log if is_shown else _SILENT
        self._warned = False
        self._warn_of_readers()
        self._warn_of_end()

    @property
    def path(self) -> Path:
        """The file of the certificate."""
        return self._certificate

    def context(self) -> ssl.SSLContext:
        """The context for a new connection. Changed files are read first; the log says what became of them."""
        with self._lock:
            self._follow()
            return self._loaded.context

    def state(self) -> CertificateState:
        """What is to be said of the certificate now. Changed files are read first."""
        with self._lock:
            self._follow()
            return CertificateState(self._loaded.ends_ms, self._ends_soon(), self._fault)

    def _follow(self) -> None:
        files = self._look()
        if files != self._seen:
            self._seen = files
            self._take()
        self._warn_of_end()

    def _take(self) -> None:
        try:
            self._loaded = self._load()
        except CertificateError as error:
            self._fault = str(error)
            self._log.error("the certificate before stays in use: %s", error)
            return
        self._fault, self._warned = "", False
        self._log.info("a new certificate is in use: %s", self._certificate)
        self._warn_of_readers()

    def _load(self) -> _Loaded:
        context = _context()
        try:
            load_pair(context, str(self._certificate), str(self._key or ""))
            text = self._certificate.read_text("ascii", "replace")
        except OSError as error:
            raise CertificateError(str(error)) from error
        ends = [read_certificate(ssl.PEM_cert_to_DER_cert(each)).end for each in _PEM.findall(text)]
        return _Loaded(context, int(min(ends).timestamp() * 1000))

    def _look(self) -> _Files:
        """What changes whenever a file is replaced, also behind a symbolic link."""
        return tuple(_stamp(path) for path in (self._certificate, self._key) if path)

    def _ends_soon(self) -> bool:
        return self._loaded.ends_ms - self._clock() < SOON_MS

    def _warn_of_end(self) -> None:
        if self._ends_soon() and not self._warned:
            self._warned = True
            days = (self._loaded.ends_ms - self._clock()) // 86_400_000
            when = f"in {days} days" if days >= 0 else "in the past"
            self._log.warning("the certificate of %s ends %s: renew it", self._certificate, when)

    def _warn_of_readers(self) -> None:
        path = self._key or self._certificate
        with suppress(OSError):  # it was readable a moment ago; the next connection looks again
            if path.stat().st_mode & stat.S_IROTH:
                self._log.warning("every user of this machine can read the key in %s: chmod o-r", path)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES)
    # A ticket's key lives as long as the process: its thief reads what was recorded before.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    return context


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        return str(error)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
