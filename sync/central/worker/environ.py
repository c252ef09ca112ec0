"""A call of the gateway as a WSGI request (PEP 3333), and what the application answers to it."""

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication

from sync.central.frames import Answer, Call, Headers

# The length is that of the body that came, and it came whole.
_OTHER_NAMES = {"HTTP_CONTENT_TYPE": "CONTENT_TYPE", "HTTP_CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": ""}


def environ_of(call: Call) -> dict[str, Any]:
    """The WSGI environment of a call. A body that was not read has the size that was announced."""
    path, _, query = call.target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "localhost",  # only of a request without a Host
        "SERVER_PORT": str(call.port),
        "REMOTE_ADDR": call.peer,
        "CONTENT_LENGTH": str(call.announced or len(call.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": call.scheme,
        "wsgi.input": io.BytesIO(call.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    _add_headers(environ, call.headers)
    return environ


def answer_of(application: WSGIApplication, environ: dict[str, Any], number: int) -> Answer:
    """Runs the application. Returns its response to the call of this number."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], object]:
        started[:] = [status, headers]
        return _no_writing

    chunks: Iterable[bytes] = application(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, headers = started
    return Answer(number, int(status[:3]), encoded(headers), body)


def encoded(headers: Iterable[tuple[str, str]]) -> Headers:
    """Headers as they go over the link."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _add_headers(environ: dict[str, Any], headers: Headers) -> None:
    """Adds the headers of a request. One with an underscore could pass for another one, and is left out."""
    for raw_name, raw_value in headers:
        if b"_" in raw_name:
            continue
        name = "HTTP_" + raw_name.decode("latin-1").upper().replace("-", "_")
        name = _OTHER_NAMES.get(name, name)
        value = raw_value.decode("latin-1")
        if name:
            environ[name] = f"{environ[name]},{value}" if name in environ else value


def _no_writing(_: bytes) -> object:
    raise NotImplementedError("the application returns its body")
