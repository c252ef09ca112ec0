"""A provider of OpenID Connect in a process of its own: oidc-provider-mock, over real HTTP."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

PATIENCE_S = 60
PEOPLE: tuple[dict[str, Any], ...] = (
    {"sub": "u-1", "name": "이서연", "preferred_username": "lee.sy", "groups": ["nurses", "desk", "choir"]},
    {"sub": "u-2", "name": "박지후", "preferred_username": "park.jh", "groups": ["it"]},
    {"sub": "u-3", "name": "방문자", "preferred_username": "visitor", "groups": ["choir"]},
)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(log: Path, port: int = 0) -> Iterator[str]:
    """The issuer of a provider that knows some people, and demands a nonce."""
    port = port or free_port()
    users = [word for each in PEOPLE for word in ("--user-claims", json.dumps(each))]
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "oidc_provider_mock",
        "--port",
        str(port),
        "--require-nonce",
        "true",
    ]
    issuer = f"http://127.0.0.1:{port}"
    with log.open("ab") as output:
        process = subprocess.Popen([*command, *users], stdout=output, stderr=output)
        try:
            until = time.monotonic() + PATIENCE_S
            while not _answers(issuer):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, "the provider does not start"
                time.sleep(0.05)
            yield issuer
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def say_of(issuer: str, sub: str, **claims: Any) -> None:
    """Gives a person other claims at the provider."""
    assert requests.put(f"{issuer}/users/{sub}", json=claims, timeout=PATIENCE_S).ok


def _answers(issuer: str) -> bool:
    with suppress(requests.RequestException):
        return requests.get(f"{issuer}/.well-known/openid-configuration", timeout=PATIENCE_S).ok
    return False
