"""The client of the centre against bad servers: each call gives an answer, a refusal or no answer."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import requests

from sync.agent.cancellable import CancellableAdapter
from sync.agent.client import MAX_ANSWER, Accepted, CentralClient, NoAnswer
from sync.clock import ClockReading
from sync.protocol import (
    CallRefused,
    EndCode,
    Enrolment,
    EnrolRequest,
    PullAnswer,
    PullRequest,
    PushAnswer,
    PushRequest,
)

from .peers import WAIT_S, RawPeer, Request, http, nobody, refusal, sending

MESSAGES = Path(__file__).parent.parent.parent / "fixtures/protocol-v2"
PUSH = PushRequest(protocol_version=2, kiosk_id="k", epoch=1, now=ClockReading(1, 2, "b", True), actions=[])
PULL = PullRequest(protocol_version=2, kiosk_id="k", epoch=1, cursor=0, wait_s=0.0)
GOOD = (MESSAGES / "push-answer.json").read_bytes()


def pushed(url: str, deadline_s: float = WAIT_S) -> Accepted[PushAnswer] | CallRefused | NoAnswer:
    client = CentralClient(url, "token-1", deadline_s)
    try:
        return client.push(PUSH)
    finally:
        client.close()


def test_a_push_a_pull_and_an_enrolment_are_posted_as_json_with_the_token():
    answers = {
        "/api/v1/sync/push": "push-answer",
        "/api/v1/sync/pull": "pull-answer",
        "/api/v1/kiosks/enroll": "enrolment",
    }

    def script(connection: socket.socket, request: Request) -> object:
        connection.sendall(http("200 OK", (MESSAGES / f"{answers[request.path]}.json").read_bytes()))
        return True

    with RawPeer(script) as peer:
        client = CentralClient(peer.url + "/", "token-1")
        outcomes = [client.push(PUSH), client.pull(PULL), client.enrol(EnrolRequest(code="X"))]
        client.close()
    assert [type(o.answer) for o in outcomes if isinstance(o, Accepted)] == [PushAnswer, PullAnswer, Enrolment]
    assert [request.path for request in peer.requests] == list(answers)
    assert msgspec.json.decode(peer.requests[0].body, type=PushRequest) == PUSH
    for request in peer.requests:
        assert request.headers["authorization"] == "Bearer token-1"
        assert request.headers["content-type"] == "application/json"
    assert peer.connections == 1


def test_a_push_tells_that_its_request_has_left_before_the_answer_comes():
    has_left = threading.Event()

    def script(connection: socket.socket, _: Request) -> object:
        assert has_left.wait(WAIT_S)
        connection.sendall(http("200 OK", GOOD))
        return True

    with RawPeer(script) as peer:
        client = CentralClient(peer.url, "token-1")
        assert isinstance(client.push(PUSH, has_left.set), Accepted)
        has_left.clear()
        assert isinstance(client.push(PUSH, has_left.set), Accepted), "on the same connection too"
        client.close()
    assert peer.connections == 1


def test_without_a_token_none_is_sent():
    with RawPeer(sending(http("200 OK", GOOD))) as peer:
        client = CentralClient(peer.url)
        assert isinstance(client.push(PUSH), Accepted)
        client.close()
    assert "authorization" not in peer.requests[0].headers


@pytest.mark.parametrize("code", list(EndCode))
@pytest.mark.parametrize("status", ["400 Bad Request", "409 Conflict", "503 Service Unavailable"])
def test_a_typed_refusal_is_one_with_any_status(code: EndCode, status: str):
    proof = hashlib.sha256(b"token-1").hexdigest()
    expected = refusal(code, expected_seq=3, retry_after_s=1.5, token_sha256=proof)[1]
    body = msgspec.json.encode(expected)
    with RawPeer(sending(http(status, body))) as peer:
        outcome = pushed(peer.url)
    assert outcome == expected


HTML = b"<html><body><h1>It works!</h1></body></html>"
PORTAL = b"<!DOCTYPE html><html><head><title>\n Hotel  Wi-Fi: please log in, " + b"x" * 90 + b"</title></head></html>"
JSON = "application/json"
WRONG: list[tuple[bytes, str]] = [
    (http("203 Non-Authoritative Information", GOOD), "transformed: HTTP 203: a proxy has changed the centre's answer"),
    (
        http("308 Permanent Redirect", Location="https://portal.example/login?patient=1"),
        "redirect: HTTP 308: the answer leads to portal.example, not to the centre",
    ),
    (http("302 Found", Location="/login"), "redirect: HTTP 302: the answer leads to another path, not to the centre"),
    (
        http("200 OK", PORTAL, Content_Type="text/html"),
        f'web_page: HTTP 200 with a web page titled "Hotel Wi-Fi: please log in, {"x" * 31}…"'
        " instead of the centre's answer",
    ),
    (http("403 Forbidden", HTML), "web_page: HTTP 403 with a web page instead of the centre's answer"),
    (http("407 Proxy Authentication Required", b"login"), "proxy_login: HTTP 407: a proxy asks for a login"),
    (http("200 OK"), "empty: HTTP 200 without a body"),
    (http("200 OK", GOOD[:100], Content_Type=JSON), "cut_short: HTTP 200 whose body ends too early"),
    (http("200 OK", GOOD, Content_Length="999999"), "cut_short: the answer ends too early"),
    (http("200 OK", gzip.compress(GOOD)[:-9]), "cut_short: HTTP 200 whose body ends too early"),
    (http("200 OK", gzip.compress(GOOD)[:10] + b"\xff" * 90), "compressed: HTTP 200 with damaged compressed data"),
    (
        http("200 OK", GOOD, Content_Encoding="br"),
        "compressed: HTTP 200 in an encoding that was not asked for: br",
    ),
    (
        http("200 OK", b"OK", Content_Type="text/plain; charset=utf-8"),
        "content_type: HTTP 200 of type text/plain, not application/json",
    ),
    (
        http("404 Not Found", b"{}", Content_Type=JSON),
        "not_protocol: HTTP 404 whose JSON is no message of this protocol",
    ),
    (
        http("400 Bad Request", b"Client sent an HTTP request to an HTTPS server.\n"),
        "tls_port: the port speaks TLS: the centre's URL must begin with https://",
    ),
    (
        b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
        "tls_port: the port speaks TLS: the centre's URL must begin with https://",
    ),
    (b"SSH-2.0-OpenSSH_9.6\r\n", "not_http: the answer is no HTTP"),
    (b"", "closed: the connection ended before an answer"),
]


@pytest.mark.parametrize(("answer", "reason"), WRONG, ids=[f"{n} {reason}" for n, (_, reason) in enumerate(WRONG)])
def test_a_wrong_answer_is_named(answer: bytes, reason: str):
    with RawPeer(sending(answer)) as peer:
        outcome = pushed(peer.url)
    assert isinstance(outcome, NoAnswer)
    assert outcome.reason == reason


@pytest.mark.parametrize(
    "answer",
    [
        http("200 OK", b"\xef\xbb\xbf" + GOOD),
        http("200 OK", gzip.compress(GOOD)),
        http("200 OK", gzip.compress(GOOD), Content_Encoding="gzip"),
        http("200 OK", gzip.compress(b"\xef\xbb\xbf" + GOOD)),
        http("200 OK", GOOD, Content_Type="text/plain"),
    ],
    ids=["byte order mark", "gzip without the header", "gzip", "both", "another content type"],
)
def test_an_answer_whose_meaning_no_proxy_has_changed_is_read(answer: bytes):
    with RawPeer(sending(answer)) as peer:
        assert isinstance(pushed(peer.url), Accepted)


def test_a_small_answer_that_would_fill_the_memory_is_no_answer():
    bomb = gzip.compress(b" " * (MAX_ANSWER + 1))
    with RawPeer(sending(http("200 OK", bomb))) as peer:
        assert pushed(peer.url) == NoAnswer("too_large: HTTP 200 with more than 16 MiB")


USELESS: list[tuple[str, bytes]] = [
    ("nothing at all", b""),
    ("no HTTP", b"SSH-2.0-OpenSSH_9.6\r\n"),
    ("binary garbage", bytes(range(256)) * 20),
    ("a status that is none", b"HTTP/1.1 abc OK\r\n\r\n"),
    ("half a status line", b"HTTP/1.1 20"),
    ("a header that never ends", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000),
    ("a thousand headers", b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(1000)) + b"\r\n"),
    ("less than it promised", http("200 OK", GOOD, Content_Length="999999")),
    ("two lengths", http("200 OK", GOOD, content_length="3")),
    ("chunks that are none", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"),
    ("a chunk cut short", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{"),
    ("an empty body", http("200 OK")),
    ("HTML", http("200 OK", HTML, Content_Type="text/html")),
    ("half a JSON", http("200 OK", GOOD[:100])),
    ("JSON of another kind", http("200 OK", b'{"hello": "world"}')),
    ("a JSON list", http("200 OK", b"[]")),
    ("no text", http("200 OK", b"\xff\xfe\xfd")),
    ("JSON without end", http("200 OK", b'{"server_incarnation": "x", "more": ' + b"[" * 100_000)),
    ("a verdict of another world", http("200 OK", GOOD.replace(b'"applied"', b'"maybe"'))),
    ("a refusal with success", http("200 OK", msgspec.json.encode(refusal(EndCode.GAP)[1]))),
    ("an answer with failure", http("500 Internal Server Error", GOOD)),
    ("a refusal of another world", http("400 Bad Request", b'{"code": "because", "error": "no"}')),
    ("an error page", http("502 Bad Gateway", HTML, Content_Type="text/html")),
    ("not found", http("404 Not Found", b"{}")),
    ("accepted, but not yet", http("202 Accepted", GOOD)),
    ("no content", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ("an unknown compression", http("200 OK", GOOD[:-5], Content_Encoding="zip,zip")),
]


@pytest.mark.parametrize("answer", [answer for _, answer in USELESS], ids=[name for name, _ in USELESS])
def test_an_unusable_answer_is_no_answer_with_a_short_reason(answer: bytes):
    with RawPeer(sending(answer)) as peer:
        outcome = pushed(peer.url)
    assert isinstance(outcome, NoAnswer)
    assert outcome.reason
    assert len(outcome.reason) < 150
    assert "127.0.0.1" not in outcome.reason


@pytest.mark.parametrize("body", [b"", HTML, b'{"error": "no"}'], ids=["empty", "a page", "JSON"])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("407 Proxy Authentication Required", "proxy_login"),
        ("429 Too Many Requests", "rate_limited"),
        ("502 Bad Gateway", "gateway"),
        ("504 Gateway Timeout", "gateway"),
        ("511 Network Authentication Required", "portal"),
    ],
)
def test_a_status_that_the_centre_never_sends_is_named_whatever_its_body(status: str, code: str, body: bytes):
    with RawPeer(sending(http(status, body, Content_Type="text/html"))) as peer:
        outcome = pushed(peer.url)
    assert isinstance(outcome, NoAnswer)
    assert outcome.reason.startswith(f"{code}: HTTP {status[:3]}: ")


def test_after_an_unusable_answer_the_client_still_works():
    answers = [http("200 OK", GOOD[:50], Content_Length="9999"), b"garbage\r\n\r\n", http("200 OK", GOOD)]

    def script(connection: socket.socket, _: Request) -> object:
        connection.sendall(answers.pop(0))
        return False

    with RawPeer(script) as peer:
        client = CentralClient(peer.url)
        kinds = [type(client.push(PUSH)) for _ in range(3)]
        client.close()
    assert kinds == [NoAnswer, NoAnswer, Accepted]


def test_a_connection_that_the_centre_closed_meanwhile_is_opened_again():
    with RawPeer(sending(http("200 OK", GOOD))) as peer:
        client = CentralClient(peer.url)
        for _ in range(3):
            assert type(client.push(PUSH)) is Accepted
            peer.wait_for_close()
        client.close()
    assert peer.connections == 3


def reset(connection: socket.socket, _: Request) -> object:
    connection.sendall(http("200 OK", GOOD)[:90])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def hang_up(_: socket.socket, __: Request) -> object:
    return False


@pytest.mark.parametrize("script", [reset, hang_up])
def test_a_connection_lost_after_the_request_is_no_answer_and_nothing_is_sent_twice(
    script: Callable[[socket.socket, Request], object],
):
    with RawPeer(script) as peer:
        assert isinstance(pushed(peer.url), NoAnswer)
    assert len(peer.requests) == 1


def test_a_missing_centre_is_no_answer():
    with nobody() as url:
        assert pushed(url) == NoAnswer("refused: the centre's port takes no connection: is the service running?")


@pytest.mark.parametrize(
    "url", ["http://256.1.1.1:80", "http://127.0.0.1:1/\n", "http://" + "x" * 300, "nonsense", "http://"]
)
def test_an_invalid_address_is_no_answer(url: str):
    assert isinstance(pushed(url), NoAnswer)


def test_a_token_that_cannot_be_sent_is_no_answer():
    with RawPeer(sending(http("200 OK", GOOD))) as peer:
        assert isinstance(CentralClient(peer.url, "two\nlines").push(PUSH), NoAnswer)
    assert peer.requests == []


def tls_url(listener: socket.socket) -> str:
    return f"https://127.0.0.1:{listener.getsockname()[1]}"


def test_plain_http_where_tls_is_expected_is_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak_plainly() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(http("400 Bad Request"))
                connection.recv(65_536)

        plain = threading.Thread(target=speak_plainly)
        plain.start()
        outcome = pushed(tls_url(listener))
        assert isinstance(outcome, NoAnswer)
        assert "speaks no TLS" in outcome.reason
        plain.join(WAIT_S)


def test_an_untrusted_certificate_is_no_answer_and_the_token_is_not_sent():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).parent / "self-signed.pem")
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                received.append(secure.recv(65_536))

        server = threading.Thread(target=serve)
        server.start()
        outcome = pushed(tls_url(listener))
        assert isinstance(outcome, NoAnswer)
        assert "certificate is not trusted" in outcome.reason
        server.join(WAIT_S)
    assert b"".join(received) == b""


def test_a_proxy_of_the_environment_never_sees_a_call(monkeypatch: pytest.MonkeyPatch):
    with RawPeer(sending(http("200 OK", GOOD))) as proxy, nobody() as url:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert isinstance(pushed(url), NoAnswer)
    assert proxy.requests == []


@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
def test_a_redirection_is_not_followed_and_the_token_is_not_sent_on(status: str):
    with (
        RawPeer(sending(http("200 OK", GOOD))) as elsewhere,
        RawPeer(sending(http(status, Location=elsewhere.url + "/api/v1/sync/push"))) as peer,
    ):
        assert isinstance(pushed(peer.url), NoAnswer)
    assert elsewhere.requests == []


# Retry-After.


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("99999", 99999.0),
        ("100000", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("٣", None),
    ],
)
def test_retry_after_is_read_in_seconds(header: str, seconds: float | None):
    answer = http("503 Service Unavailable", HTML, Retry_After="@").replace(b"@", header.encode())
    with RawPeer(sending(answer)) as peer:
        outcome = pushed(peer.url)
    assert outcome == NoAnswer("web_page: HTTP 503 with a web page instead of the centre's answer", seconds)


def test_the_header_retry_after_counts_where_the_refusal_names_no_time():
    silent = msgspec.json.encode(refusal(EndCode.TRY_LATER)[1])
    outspoken = msgspec.json.encode(refusal(EndCode.TRY_LATER, retry_after_s=2.0)[1])
    seconds = []
    for body in (silent, outspoken):
        with RawPeer(sending(http("503 Service Unavailable", body, Retry_After="9"))) as peer:
            outcome = pushed(peer.url)
        assert isinstance(outcome, CallRefused)
        seconds.append(outcome.retry_after_s)
    assert seconds == [9.0, 2.0]


# Size and time.


def endless(head: bytes, part: bytes) -> Callable[[socket.socket, Request], object]:
    """A script that sends a beginning and then one part again and again, as fast as possible."""

    def script(connection: socket.socket, _: Request) -> object:
        connection.sendall(head)
        while True:
            connection.sendall(part)

    return script


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (http("200 OK", b"", Content_Length=str(10**12)), b" " * 65_536),
        (CHUNKED, b"10000\r\n" + b" " * 65_536 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65_536),
    ],
    ids=["announced", "in chunks", "until it closes"],
)
def test_an_endless_answer_is_cut_off(head: bytes, part: bytes):
    with RawPeer(endless(head, part)) as peer:
        assert pushed(peer.url) == NoAnswer("too_large: HTTP 200 with more than 16 MiB")


def test_an_answer_just_within_the_limit_is_read():
    padded = json.dumps({**json.loads(GOOD), "padding": "x" * (MAX_ANSWER - 4096)}).encode()
    with RawPeer(sending(http("200 OK", padded))) as peer:
        assert isinstance(pushed(peer.url), Accepted)


def trickle(beginning: bytes, drop: bytes) -> Callable[[socket.socket, Request], object]:
    """A script that sends a beginning and then small drops, until the other end closes."""

    def script(connection: socket.socket, _: Request) -> object:
        connection.sendall(beginning)
        connection.settimeout(0.01)
        while True:
            try:
                if not connection.recv(1):
                    return False
            except TimeoutError:
                connection.sendall(drop)

    return script


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (http("200 OK", b"", Content_Length="100000"), b" "),
        (CHUNKED, b"1\r\n \r\n"),
    ],
    ids=["silence", "headers", "one header", "a body", "chunks"],
)
def test_a_slow_answer_is_cut_off_at_the_deadline(beginning: bytes, drop: bytes):
    with RawPeer(trickle(beginning, drop)) as peer:
        assert isinstance(pushed(peer.url, deadline_s=0.15), NoAnswer)


def test_a_pull_may_take_the_deadline_and_its_own_wait():
    def script(connection: socket.socket, request: Request) -> object:
        peer.over.wait(0.3)
        connection.sendall(http("200 OK", (MESSAGES / "pull-answer.json").read_bytes()))
        return False

    with RawPeer(script) as peer:
        client = CentralClient(peer.url, deadline_s=0.1)
        assert isinstance(client.pull(msgspec.structs.replace(PULL, wait_s=WAIT_S)), Accepted)
        client.close()


# Cancelled by another thread.


def hold(peer_over: list[threading.Event]) -> Callable[[socket.socket, Request], object]:
    def script(_: socket.socket, __: Request) -> object:
        peer_over[0].wait(WAIT_S)
        return False

    return script


def test_another_thread_cancels_a_call_and_no_later_call_goes_out():
    over: list[threading.Event] = []
    with RawPeer(hold(over)) as peer:
        over.append(peer.over)
        client = CentralClient(peer.url)
        outcomes: list[object] = []
        calling = threading.Thread(target=lambda: outcomes.append(client.pull(PULL)))
        calling.start()
        peer.wait_for_request()
        client.abort()
        calling.join(WAIT_S)
        assert not calling.is_alive()
        assert isinstance(outcomes[0], NoAnswer)
        assert client.push(PUSH) == NoAnswer("cancelled: this kiosk has ended the call")
        assert len(peer.requests) == 1


def test_a_client_without_a_call_can_be_aborted_too():
    client = CentralClient("http://127.0.0.1:1")
    client.abort()
    client.abort()
    assert client.push(PUSH) == NoAnswer("cancelled: this kiosk has ended the call")


def test_a_call_that_is_cancelled_while_it_connects_does_not_go_out():
    adapter = CancellableAdapter()
    with RawPeer(sending(http("200 OK", GOOD))) as peer, requests.Session() as session:
        session.mount("http://", adapter)
        adapter.cancel(adapter.begin())
        with pytest.raises(requests.ConnectionError):
            session.post(peer.url, data=b"x")
        assert peer.requests == []


def test_the_deadline_of_an_earlier_call_does_not_cancel_a_later_one():
    adapter = CancellableAdapter()
    with RawPeer(sending(http("200 OK", GOOD), keep=True)) as peer, requests.Session() as session:
        session.mount("http://", adapter)
        first = adapter.begin()
        assert session.post(peer.url).status_code == 200
        adapter.begin()
        adapter.cancel(first)
        assert session.post(peer.url).status_code == 200
    assert peer.connections == 1
