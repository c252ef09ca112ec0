"""The hospital's own certificates and its outbound proxy: what is trusted, and what an operator is told."""

from __future__ import annotations

import base64
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync.agent.client import Accepted, CentralClient, NoAnswer
from sync.agent.route import Route, UnusableFile
from sync.certificate import read_certificate
from sync.protocol import CallRefused, PushAnswer
from tests.authority import Authority, Signed
from tests.connect_proxy import ConnectProxy

from .peers import WAIT_S, RawPeer, http, nobody, sending
from .test_client import GOOD, PUSH


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other"), "Other CA")


class SecurePeer:
    """A TLS server that answers each push well. Its certificate may be changed while it runs."""

    def __init__(self, shown: Signed, clients_of: Path | None = None) -> None:
        self.shown = shown
        self.clients_of = clients_of
        self.received: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> SecurePeer:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.shown.chain, self.shown.key)
        if self.clients_of:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.clients_of)
        connection.settimeout(WAIT_S)
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            while request := _whole_request(secure):
                self.received.append(request)
                secure.sendall(http("200 OK", GOOD))


def _whole_request(secure: ssl.SSLSocket) -> bytes:
    received = b""
    while chunk := secure.recv(65_536):
        received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if b"content-length" in line.lower()), 0
        )
        if b"\r\n\r\n" in received and len(body) >= length:
            return received
    return b""


def pushed(url: str, route: Route) -> Accepted[PushAnswer] | CallRefused | NoAnswer:
    with calling(url, route) as client:
        return client.push(PUSH)


@contextlib.contextmanager
def calling(url: str, route: Route) -> Iterator[CentralClient]:
    client = CentralClient(url, "token-1", WAIT_S, route)
    yield client
    client.close()


def reason(outcome: object) -> str:
    assert isinstance(outcome, NoAnswer), outcome
    return outcome.reason


# The centre's certificate.


def test_the_hospitals_own_ca_is_trusted_where_ca_file_names_it(authority: Authority):
    with SecurePeer(authority.server("127.0.0.1")) as centre:
        assert isinstance(pushed(centre.url, Route(ca_file=str(authority.root))), Accepted)


def test_the_systems_store_is_trusted_without_a_ca_file(authority: Authority, monkeypatch: pytest.MonkeyPatch):
    # The variable by which OpenSSL takes another file for the system's store.
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.root))
    with SecurePeer(authority.server("127.0.0.1")) as centre:
        assert isinstance(pushed(centre.url, Route()), Accepted)


def test_a_ca_file_replaces_the_systems_store(
    authority: Authority, stranger: Authority, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(stranger.root))
    with SecurePeer(stranger.server("127.0.0.1")) as centre:
        assert isinstance(pushed(centre.url, Route()), Accepted)
        assert "not trusted" in reason(pushed(centre.url, Route(ca_file=str(authority.root))))


def test_an_intermediate_ca_or_the_very_certificate_may_be_what_is_trusted(authority: Authority):
    shown = authority.server("127.0.0.1", with_chain=False)
    with SecurePeer(shown) as centre:
        for trusted in (authority.intermediate, shown.certificate):
            assert isinstance(pushed(centre.url, Route(ca_file=str(trusted))), Accepted)


def test_an_unknown_issuer_is_named_with_the_certificate_and_the_key_that_mends_it(authority: Authority):
    shown = authority.server("127.0.0.1")
    with SecurePeer(shown) as centre:
        said = reason(pushed(centre.url, Route()))
        assert centre.received == []  # neither the token nor a body
    der = ssl.PEM_cert_to_DER_cert(shown.certificate.read_text())
    for part in (
        "its issuer is not in the system's store",
        "[central] ca_file",
        "CN=127.0.0.1, issued by CN=Hospital CA 2",
        f"SHA-256 {read_certificate(der).sha256}",
    ):
        assert part in said


def test_a_missing_intermediate_certificate_is_suspected(authority: Authority):
    with SecurePeer(authority.server("127.0.0.1", with_chain=False)) as centre:
        said = reason(pushed(centre.url, Route(ca_file=str(authority.root))))
    assert "have the centre send its intermediate certificates" in said
    assert str(authority.root) in said


def test_a_self_signed_certificate_is_called_so(authority: Authority):
    pem = Path(__file__).parent / "self-signed.pem"
    with SecurePeer(Signed(pem, pem, pem)) as centre:
        assert "it is self-signed" in reason(pushed(centre.url, Route()))


def test_an_expired_certificate_is_told_with_its_end_and_this_machines_date(authority: Authority):
    with SecurePeer(authority.server("127.0.0.1", days=10, start="240101000000Z")) as centre:
        said = reason(pushed(centre.url, Route(ca_file=str(authority.root))))
    assert "has expired; this machine's clock says 20" in said
    assert "valid 2024-01-01 to 2024-01-11" in said


def test_a_certificate_of_the_future_makes_the_clock_suspect(authority: Authority):
    with SecurePeer(authority.server("127.0.0.1", days=10, start="490101000000Z")) as centre:
        said = reason(pushed(centre.url, Route(ca_file=str(authority.root))))
    assert "not valid yet; this machine's clock says 20" in said
    assert "set the clock" in said


@pytest.mark.parametrize("names", [("centre.hospital.example", "other.hospital.example"), ("10.1.2.3",)])
def test_a_certificate_for_another_host_names_its_hosts(authority: Authority, names: tuple[str, ...]):
    with SecurePeer(authority.server(*names)) as centre:
        said = reason(pushed(centre.url, Route(ca_file=str(authority.root))))
    assert f"it is for {', '.join(names)}, not for 127.0.0.1" in said


def test_a_renewed_ca_file_counts_at_the_next_connection(authority: Authority, stranger: Authority, tmp_path: Path):
    trusted = tmp_path / "ca.pem"
    shutil.copy(stranger.root, trusted)
    with (
        SecurePeer(authority.server("127.0.0.1")) as centre,
        calling(centre.url, Route(ca_file=str(trusted))) as client,
    ):
        assert "not trusted" in reason(client.push(PUSH))
        shutil.copy(authority.root, trusted)
        assert isinstance(client.push(PUSH), Accepted)


# The client certificate.


@pytest.mark.parametrize("in_one_file", [True, False])
def test_a_centre_that_wants_a_client_certificate_gets_it(authority: Authority, in_one_file: bool):
    mine = authority.client("entrance-1")
    shown = Route(ca_file=str(authority.root), client_cert=str(mine.chain))
    if not in_one_file:
        chain = mine.chain.with_name("only-certificates.pem")
        chain.write_text(mine.certificate.read_text() + authority.intermediate.read_text())
        shown = Route(ca_file=str(authority.root), client_cert=str(chain), client_key=str(mine.key))
    with SecurePeer(authority.server("127.0.0.1"), clients_of=authority.root) as centre:
        assert isinstance(pushed(centre.url, shown), Accepted)


def test_a_missing_client_certificate_is_told(authority: Authority):
    with SecurePeer(authority.server("127.0.0.1"), clients_of=authority.root) as centre:
        said = reason(pushed(centre.url, Route(ca_file=str(authority.root))))
    assert said == "client_certificate: the centre wants a client certificate: name one in [central] client_cert"


def test_a_refused_client_certificate_is_told(authority: Authority, stranger: Authority):
    shown = Route(ca_file=str(authority.root), client_cert=str(stranger.client("entrance-1").chain))
    with SecurePeer(authority.server("127.0.0.1"), clients_of=authority.root) as centre:
        said = reason(pushed(centre.url, shown))
    assert said == "client_certificate: the centre refuses the client certificate of [central] client_cert"


# The files.


def _locked(authority: Authority, place: Path) -> Route:
    mine = authority.client("entrance-2")
    locked = place / "locked.key"
    words = ["openssl", "ec", "-in", str(mine.key), "-aes256", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(words, check=True, capture_output=True)
    return Route(client_cert=str(mine.certificate), client_key=str(locked))


def _text(place: Path, text: str) -> str:
    file = place / "file.pem"
    file.write_text(text)
    return str(file)


def _der(authority: Authority, place: Path) -> str:
    file = place / "file.cer"
    file.write_bytes(ssl.PEM_cert_to_DER_cert(authority.root.read_text()))
    return str(file)


WRONG_FILES: dict[str, tuple[Callable[[Authority, Path], Route], str]] = {
    "a missing ca_file": (lambda _, place: Route(ca_file=str(place / "none.pem")), "[central] ca_file"),
    "a directory": (lambda _, place: Route(ca_file=str(place)), "[central] ca_file"),
    "no PEM": (lambda _, place: Route(ca_file=_text(place, "hello")), "no certificate in PEM"),
    "DER": (lambda ca, place: Route(ca_file=_der(ca, place)), "convert it by openssl x509 -inform DER"),
    "an empty file": (lambda _, place: Route(ca_file=_text(place, "")), "no certificate in PEM"),
    "a key for a CA": (lambda ca, _: Route(ca_file=str(ca.client("k").key)), "no certificate in PEM"),
    "a missing client_cert": (lambda _, place: Route(client_cert=str(place / "none")), "[central] client_cert"),
    "no key": (lambda ca, _: Route(client_cert=str(ca.client("c").certificate)), "a certificate and its key"),
    "a missing client_key": (
        lambda ca, place: Route(client_cert=str(ca.client("m").chain), client_key=str(place / "none")),
        "[central] client_key",
    ),
    "the key of another": (
        lambda ca, _: Route(client_cert=str(ca.client("a").certificate), client_key=str(ca.client("b").key)),
        "the key is not that of the certificate",
    ),
    "a key with a password": (_locked, "the key has a password"),
    "a missing login": (
        lambda _, place: Route(proxy="http://127.0.0.1:1", proxy_login_file=str(place / "none")),
        "[central] proxy_login_file",
    ),
    "a login without a password": (
        lambda _, place: Route(proxy="http://127.0.0.1:1", proxy_login_file=_text(place, "user")),
        "expected one line user:password",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_FILES)
def test_a_file_that_cannot_be_used_is_named_with_its_key(authority: Authority, tmp_path: Path, wrong: str):
    make, words = WRONG_FILES[wrong]
    route = make(authority, tmp_path)
    with pytest.raises(UnusableFile, match=words.replace("[", r"\[")):
        route.check()
    with nobody() as url:
        assert words in reason(pushed(url.replace("http:", "https:"), route))


# The outbound proxy.


def test_a_call_goes_through_the_proxy_which_sees_no_token(authority: Authority):
    with ConnectProxy() as proxy, SecurePeer(authority.server("127.0.0.1")) as centre:
        route = Route(ca_file=str(authority.root), proxy=proxy.url)
        with calling(centre.url, route) as client:
            assert isinstance(client.push(PUSH), Accepted)
            assert isinstance(client.push(PUSH), Accepted)
        [tunnel] = proxy.asked
        assert tunnel.startswith(f"CONNECT 127.0.0.1:{centre.port} HTTP/1.".encode())
        assert b"token-1" not in proxy.carried


def test_the_proxys_login_is_read_from_its_file_and_a_new_one_counts_without_a_restart(
    authority: Authority, tmp_path: Path
):
    login = tmp_path / "login"
    login.write_text("kiosk:wrong\n")
    with ConnectProxy(login="kiosk:s3cret") as proxy, SecurePeer(authority.server("127.0.0.1")) as centre:
        route = Route(ca_file=str(authority.root), proxy=proxy.url, proxy_login_file=str(login))
        with calling(centre.url, route) as client:
            said = reason(client.push(PUSH))
            login.write_text("kiosk:s3cret\n")
            assert isinstance(client.push(PUSH), Accepted)
    assert "wants a user and a password (HTTP 407): see [central] proxy_login_file" in said
    assert "wrong" not in said
    assert base64.b64encode(b"kiosk:wrong").decode() not in said


def test_a_proxy_that_refuses_or_is_away_is_named(authority: Authority):
    with nobody() as away:
        said = reason(pushed("https://centre.hospital.example", Route(proxy=away)))
    assert said == f"proxy: the proxy {away.removeprefix('http://')} of [central] proxy cannot be reached"
    with ConnectProxy(refuse="403 Forbidden") as proxy:
        said = reason(pushed("https://centre.hospital.example", Route(proxy=proxy.url)))
    assert "does not connect to centre.hospital.example (HTTP 403)" in said


def test_an_untrusted_certificate_behind_a_proxy_is_named_too(authority: Authority):
    with ConnectProxy() as proxy, SecurePeer(authority.server("127.0.0.1")) as centre:
        said = reason(pushed(centre.url, Route(proxy=proxy.url)))
        assert centre.received == []
    assert "issued by CN=Hospital CA 2" in said


def test_a_plain_call_goes_through_the_proxy_with_its_login(tmp_path: Path):
    login = tmp_path / "login"
    login.write_text("kiosk:s3cret\n")
    with ConnectProxy(login="kiosk:s3cret") as proxy, RawPeer(sending(http("200 OK", GOOD))) as centre:
        outcome = pushed(centre.url, Route(proxy=proxy.url, proxy_login_file=str(login)))
    assert isinstance(outcome, Accepted)
    assert proxy.asked == [f"POST {centre.url}/api/v1/sync/push HTTP/1.1".encode()]


# What a certificate says.


def test_a_certificate_is_read_as_openssl_wrote_it(authority: Authority):
    names = ("centre.hospital.example", "10.1.2.3", "fd00::1")
    made = authority.server(*names, days=10, start="260101000000Z")
    shown = read_certificate(ssl.PEM_cert_to_DER_cert(made.certificate.read_text()))
    assert (shown.subject, shown.issuer, shown.names) == ("CN=centre.hospital.example", "CN=Hospital CA 2", names)
    assert (f"{shown.begin:%Y-%m-%d}", f"{shown.end:%Y-%m-%d}") == ("2026-01-01", "2026-01-11")


def test_what_is_no_certificate_is_a_value_error(authority: Authority):
    der = ssl.PEM_cert_to_DER_cert(authority.root.read_text())
    for broken in (b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", der[:60], der[:-1], bytes(64)):
        with pytest.raises(ValueError, match="no certificate"):
            read_certificate(broken)
