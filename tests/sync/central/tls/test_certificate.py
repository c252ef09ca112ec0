"""The certificate that the centre shows: what can be read, what a renewal does, and when its end is told."""

from __future__ import annotations

import logging
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sync.central.tls.certificate import SOON_MS, CertificateError, ServedCertificate
from sync.certificate import read_certificate
from tests.sync.central.tls.conftest import Files

DAY_MS = 86_400_000


def served(files: Files, **more: object) -> ServedCertificate:
    return ServedCertificate(files.certificate, files.key, **more)  # type: ignore[arg-type]


def end_of(file: Path) -> int:
    der = ssl.PEM_cert_to_DER_cert(file.read_text().partition("-----END")[0] + "-----END CERTIFICATE-----\n")
    return int(read_certificate(der).end.timestamp() * 1000)


def test_a_certificate_of_a_month_is_well_and_the_same_context_serves_all(files: Files, caplog):
    certificate = served(files)
    assert certificate.state().is_well
    assert certificate.context() is certificate.context()
    assert caplog.records == []


def test_the_key_may_be_in_the_file_of_the_certificate(files: Files):
    files.write(files.certificate.read_text() + files.key.read_text())
    assert ServedCertificate(files.certificate).state().is_well


def test_no_old_protocol_and_no_suite_without_forward_secrecy_is_offered(files: Files):
    context = served(files).context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_TICKET
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.num_tickets == 0
    names = {suite["name"] for suite in context.get_ciphers()}
    assert all(name.startswith(("ECDHE-", "TLS_")) for name in names)
    assert not any(word in name for name in names for word in ("CBC", "SHA1", "RC4", "3DES", "CCM"))


def _text(files: Files) -> tuple[Path, Path]:
    files.write("hello")
    return files.certificate, files.key


def _der(files: Files) -> tuple[Path, Path]:
    files.certificate.write_bytes(ssl.PEM_cert_to_DER_cert(files.authority.root.read_text()))
    return files.certificate, files.key


def _damaged(files: Files) -> tuple[Path, Path]:
    files.write(files.certificate.read_text().replace("MII", "AAA"))
    return files.certificate, files.key


def _locked(files: Files) -> tuple[Path, Path]:
    key = files.key.with_name("locked.key")
    command = ["openssl", "ec", "-in", files.key, "-aes128", "-passout", "pass:x", "-out", key]
    subprocess.run(command, check=True, capture_output=True)
    return files.certificate, key


UNUSABLE: dict[str, tuple[Callable[[Files], tuple[Path, Path]], str]] = {
    "absent": (lambda files: (files.certificate.with_name("none.pem"), files.key), "none.pem: No such file"),
    "text": (_text, "checkin.pem: no certificate in PEM"),
    "DER": (_der, "checkin.pem: no certificate in PEM, but one in DER: convert it by openssl x509 -inform DER"),
    "damaged": (_damaged, "checkin.key: a certificate and its key in PEM are needed"),
    "another's key": (
        lambda files: (files.certificate, files.authority.server("other").key),
        "server-other-30.key: the key is not that of the certificate",
    ),
    "a password": (_locked, "locked.key: the key has a password"),
    "no key": (lambda files: (files.certificate, files.certificate), "a certificate and its key in PEM are needed"),
    "an absent key": (lambda files: (files.certificate, files.key.with_name("none.key")), "none.key: No such file"),
    "a directory": (lambda files: (files.certificate.parent, files.key), "Is a directory"),
    "no path": (lambda files: (Path("a\0b"), files.key), "not the path of a file"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(files: Files, kind: str):
    make, words = UNUSABLE[kind]
    with pytest.raises(CertificateError, match=words):
        ServedCertificate(*make(files))


def test_a_renewed_certificate_counts_for_the_next_connection(files: Files, caplog):
    certificate = served(files)
    before = certificate.context()
    files.put(files.authority.server("localhost", "127.0.0.1", days=29))
    with caplog.at_level(logging.INFO):
        assert certificate.context() is not before
    assert certificate.state().ends_ms == end_of(files.certificate)
    assert [record.message for record in caplog.records] == [f"a new certificate is in use: {files.certificate}"]


def test_a_broken_new_file_keeps_the_old_certificate_and_is_said_once(files: Files, caplog):
    certificate = served(files)
    before, state = certificate.context(), certificate.state()
    files.write("half a file")
    for _ in range(3):
        assert certificate.context() is before
    told = certificate.state()
    assert (told.ends_ms, told.is_well) == (state.ends_ms, False)
    assert told.fault == f"{files.certificate}: no certificate in PEM"
    assert len(caplog.records) == 1
    files.certificate.unlink()
    assert certificate.context() is before
    assert "No such file" in certificate.state().fault
    files.put(files.authority.server("localhost", "127.0.0.1"))
    assert certificate.context() is not before
    assert certificate.state().is_well


def test_between_the_two_files_of_a_renewal_the_old_pair_serves(files: Files):
    certificate = served(files)
    before = certificate.context()
    files.write(files.authority.server("localhost", days=29).chain.read_text())
    assert certificate.context() is before
    assert "the key is not that of the certificate" in certificate.state().fault


def test_the_end_is_told_two_weeks_before_and_logged_once(files: Files, caplog):
    now = [end_of(files.certificate) - SOON_MS]
    certificate = served(files, clock=lambda: now[0])
    assert certificate.state().is_well
    assert caplog.records == []
    now[0] += 1
    assert not certificate.state().is_well
    certificate.context()
    assert [record.message for record in caplog.records] == [
        f"the certificate of {files.certificate} ends in 13 days: renew it"
    ]
    files.put(files.authority.server("localhost", "127.0.0.1", days=60))
    # The intermediate certificate ends after a month, and the chain with it.
    assert certificate.state().ends_soon


def test_one_that_has_ended_is_served_and_said_at_the_start(files: Files, caplog):
    certificate = served(files, clock=lambda: end_of(files.certificate) + 1)
    assert certificate.state().ends_soon
    assert "ends in the past" in caplog.text


def test_a_key_that_every_user_can_read_is_said(files: Files, caplog):
    files.key.chmod(0o640)
    served(files)
    assert caplog.records == []
    files.key.chmod(0o604)
    served(files)
    assert [record.message for record in caplog.records] == [
        f"every user of this machine can read the key in {files.key}: chmod o-r"
    ]
