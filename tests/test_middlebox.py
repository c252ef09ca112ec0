"""The middlebox itself: what passes, and what each rule does."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import requests

from tests.middlebox import RESET, Middlebox, Request, Response


class _Echo(BaseHTTPRequestHandler):
    """Answers a request with its path, its Authorization and its body."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        echoed = f"{self.path} {self.headers['Authorization']} ".encode() + body
        self.send_response(201)
        self.send_header("X-From", "server")
        self.send_header("Content-Length", str(len(echoed)))
        self.end_headers()
        self.wfile.write(echoed)

    def log_message(self, format: str, *args: object) -> None:
        """A test prints no requests."""


@pytest.fixture
def box() -> Iterator[Middlebox]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads, server.block_on_close = True, False
        Thread(target=server.serve_forever, daemon=True).start()
        with Middlebox(f"http://127.0.0.1:{server.server_address[1]}") as middlebox:
            yield middlebox
        server.shutdown()


def post(box: Middlebox, body: bytes = b"hello") -> requests.Response:
    return requests.post(f"{box.url}/path", data=body, headers={"Authorization": "Bearer x"}, timeout=30)


def test_requests_and_answers_pass_unchanged(box: Middlebox):
    answer = post(box)
    assert (answer.status_code, answer.content, answer.headers["X-From"]) == (201, b"/path Bearer x hello", "server")
    assert (box.seen[0].path, box.seen[0].body, box.struck) == ("/path", b"hello", 0)


def test_a_header_is_stripped_and_comes_back(box: Middlebox):
    box.strip_header("authorization")
    assert post(box).content == b"/path None hello"
    assert box.struck == 1
    box.let_pass()
    assert post(box).content == b"/path Bearer x hello"


def test_one_body_is_blocked_and_others_pass(box: Middlebox):
    box.block(lambda request: b"bad" in request.body, 406)
    assert (post(box, b"bad").status_code, post(box, b"good").status_code) == (406, 201)
    assert box.struck == 1


def test_one_body_is_answered_with_a_reset(box: Middlebox):
    box.block(lambda request: b"bad" in request.body, RESET)
    with pytest.raises(requests.ConnectionError, match="reset"):
        post(box, b"bad")
    assert post(box, b"good").status_code == 201


def test_an_answer_is_rewritten(box: Middlebox):
    def with_mark(request: Request, response: Response) -> Response:
        return replace(response.with_header("X-From", request.method), body=b"\xef\xbb\xbf" + response.body)

    box.rewrite(with_mark)
    answer = post(box)
    assert (answer.content, answer.headers["X-From"]) == (b"\xef\xbb\xbf/path Bearer x hello", "POST")


def test_it_answers_by_itself(box: Middlebox):
    box.answer(Response(308, (("Location", "https://portal.example/login"),)))
    with requests.post(f"{box.url}/path", data=b"", timeout=10, allow_redirects=False) as answer:
        assert (answer.status_code, answer.headers["Location"]) == (308, "https://portal.example/login")


def test_an_answer_is_cut_short(box: Middlebox):
    box.rewrite(lambda _, response: replace(response, cut_at=3))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        post(box)


def test_a_server_that_is_away_is_a_502(box: Middlebox):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with Middlebox(f"http://127.0.0.1:{port}") as to_nobody:
        assert post(to_nobody).status_code == 502
