"""A certificate authority for a test, made by openssl: a root, an intermediate and what they sign."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tests.components import demand

_EXTENSIONS = """
[ca]
basicConstraints = critical, CA:true
[leaf]
basicConstraints = CA:false
"""


@dataclass(frozen=True)
class Signed:
    """A certificate, its key, and a file with the certificate and those above it but for the root, in PEM."""

    certificate: Path
    key: Path
    chain: Path


class Authority:
    """A root CA and an intermediate one. `root` is the file that clients are to trust."""

    def __init__(self, directory: Path, name: str = "Hospital CA") -> None:
        demand(shutil.which("openssl") is not None, "openssl")
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        (directory / "extensions.cnf").write_text(_EXTENSIONS)
        self._top = self._root(name)
        self._middle = self._sign("intermediate", f"{name} 2", "ca", [], 30, self._top)
        self.root = self._top.certificate
        self.intermediate = self._middle.certificate

    def server(self, *names: str, days: int = 30, start: str = "", with_chain: bool = True) -> Signed:
        """A server's certificate for hosts and addresses. `start` (YYMMDDHHMMSSZ) begins its `days`."""
        made = self._sign(f"server-{'-'.join(names)}-{days}{start}", names[0], "leaf", names, days, self._middle, start)
        text = made.certificate.read_text() + (self.intermediate.read_text() if with_chain else "")
        made.chain.write_text(text)
        return made

    def client(self, name: str) -> Signed:
        """A client's certificate, with its key in the file of the chain too."""
        made = self._sign(f"client-{name}", name, "leaf", [], 30, self._middle)
        made.chain.write_text(made.certificate.read_text() + self.intermediate.read_text() + made.key.read_text())
        return made

    def _root(self, name: str) -> Signed:
        made = self._files("root")
        self._key(made.key)
        _openssl(
            *("req", "-x509", "-new", "-key", made.key, "-subj", f"/O=Demo hospital/CN={name}"),
            *("-days", "30", "-out", made.certificate),
        )
        return made

    def _sign(
        self, file: str, name: str, kind: str, names: Sequence[str], days: int, by: Signed, start: str = ""
    ) -> Signed:
        made = self._files(file)
        self._key(made.key)
        request = made.key.with_suffix(".csr")
        _openssl("req", "-new", "-key", made.key, "-subj", f"/CN={name}", "-out", request)
        extensions = made.key.with_suffix(".cnf")
        listed = ",".join(f"{'IP' if _is_address(each) else 'DNS'}:{each}" for each in names)
        extensions.write_text(_EXTENSIONS + (f"subjectAltName = {listed}\n" if listed else ""))
        database = made.key.with_suffix(".db")
        database.write_text("")
        config = made.key.with_suffix(".ca.cnf")
        config.write_text(
            f"[ca]\ndefault_ca = own\n[own]\ndatabase = {database}\nnew_certs_dir = {self._directory}\n"
            "rand_serial = yes\ndefault_md = sha256\npolicy = any\nunique_subject = no\n[any]\ncommonName = supplied\n"
        )
        validity = ["-startdate", start, "-enddate", _later(start, days)] if start else ["-days", str(days)]
        _openssl(
            *("ca", "-batch", "-notext", "-config", config, "-cert", by.certificate, "-keyfile", by.key),
            *("-extfile", extensions, "-extensions", kind, *validity, "-in", request, "-out", made.certificate),
        )
        made.chain.write_text(made.certificate.read_text())
        return made

    def _files(self, name: str) -> Signed:
        stem = name.replace(".", "-").replace(":", "-")
        return Signed(*(self._directory / f"{stem}.{ending}" for ending in ("pem", "key", "chain.pem")))

    def _key(self, file: Path) -> None:
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", file)


def _later(start: str, days: int) -> str:
    moment = datetime.strptime(start, "%y%m%d%H%M%SZ")  # noqa: DTZ007 openssl's own form, in UTC
    return (moment + timedelta(days=days)).strftime("%y%m%d%H%M%SZ")


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def _openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)
