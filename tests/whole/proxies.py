"""Debian's nginx and Caddy in front of a centre, with the very configurations that `docs/proxy/` ships."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kiosk.demo.hospital import free_port, wait_for
from sync.parent_death import end_with_parent
from tests.authority import Authority, Signed
from tests.components import debian_program

SAMPLES = Path(__file__).parent.parent.parent / "docs/proxy"
HOST = "localhost"
_WAIT_S = 30.0


@dataclass(frozen=True)
class Front:
    """A running proxy: the URL at which clients reach the centre."""

    port: int

    @property
    def host(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"https://{self.host}"


def nginx(directory: Path, shown: Signed, central_port: int, port: int, clients_of: Path | None) -> list[str]:
    """Writes the configuration of nginx, and returns its command."""
    site = _changed(
        (SAMPLES / "nginx.conf").read_text(),
        {
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "listen [::]:443 ssl;": "",
            "checkin.hospital.example;": f"{HOST};",
            "/etc/ssl/checkin.pem": str(shown.chain),
            "/etc/ssl/private/checkin.key": str(shown.key),
            "127.0.0.1:8000": f"127.0.0.1:{central_port}",
        },
    )
    if clients_of:
        site = _changed(
            site,
            {
                "# ssl_client_certificate /etc/ssl/kiosks-ca.pem;": f"ssl_client_certificate {clients_of};",
                "# ssl_verify_client on;": "ssl_verify_client on;",
                "# ssl_verify_depth 2;": "ssl_verify_depth 2;",
            },
        )
    (directory / "site.conf").write_text(site)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{kind}_temp_path {directory}/{kind};" for kind in kinds)
    whole = directory / "nginx.conf"
    user = "user root;\n" if os.geteuid() == 0 else ""  # the other one may not enter the directory of the test
    whole.write_text(
        f"{user}daemon off;\nworker_processes 1;\npid {directory}/nginx.pid;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}\ninclude {directory}/site.conf;\n}}\n"
    )
    return [debian_program("nginx"), "-e", str(directory / "nginx.log"), "-p", str(directory), "-c", str(whole)]


def caddy(directory: Path, shown: Signed, central_port: int, port: int, clients_of: Path | None) -> list[str]:
    """Writes the configuration of Caddy, and returns its command."""
    given = (SAMPLES / "Caddyfile").read_text()
    if clients_of:
        lines = given.splitlines()
        begin = next(number for number, line in enumerate(lines) if line.strip().startswith("tls "))
        lines[begin] = ""
        block = next(number for number, line in enumerate(lines) if "# tls " in line)
        for number in range(block, block + 6):
            lines[number] = lines[number].replace("# ", "", 1)
        given = _changed("\n".join(lines), {"/etc/ssl/kiosks-ca.pem": str(clients_of)})
    site = _changed(
        given,
        {
            "\ncheckin.hospital.example {": f"\nhttps://{HOST}:{port} {{\n\tbind 127.0.0.1",
            "tls /etc/ssl/checkin.pem /etc/ssl/private/checkin.key": f"tls {shown.chain} {shown.key}",
            "127.0.0.1:8000": f"127.0.0.1:{central_port}",
        },
    )
    file = directory / "Caddyfile"
    file.write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + site)
    return [debian_program("caddy"), "run", "--config", str(file), "--adapter", "caddyfile"]


PROXIES: Mapping[str, Callable[[Path, Signed, int, int, Path | None], list[str]]] = {"nginx": nginx, "caddy": caddy}


@contextmanager
def in_front(
    name: str, directory: Path, authority: Authority, central_port: int, clients_of: Path | None = None
) -> Iterator[Front]:
    """Starts a proxy in front of a centre, with a certificate of an authority. `clients_of` demands a client's own."""
    directory.mkdir(parents=True)
    front = Front(free_port())
    command = PROXIES[name](directory, authority.server(HOST), central_port, front.port, clients_of)
    log = directory / "output.log"
    environment = {
        **os.environ,
        "HOME": str(directory),
        "XDG_DATA_HOME": str(directory),
        "XDG_CONFIG_HOME": str(directory),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            # A test run that is killed leaves no proxy behind.
            preexec_fn=partial(end_with_parent, signal.SIGTERM, os.getpid()),
        )
    try:
        wait_for(lambda: _listens(front.port, process, log), f"{name} never listened", _WAIT_S)
        yield front
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_WAIT_S)
        process.kill()
        process.wait()


def _listens(port: int, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _changed(text: str, changes: Mapping[str, str]) -> str:
    """The text with each change made. A sample that lacks one of them has changed, and this file must follow it."""
    for old, new in changes.items():
        assert old in text, f"the sample has no {old!r}"
        text = text.replace(old, new)
    return text
