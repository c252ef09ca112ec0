"""What a worker's process is told at its start: everything that the operator chose."""

import sys
from typing import Any

import msgspec

from sync.central.network.web_settings import WebSettings


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `run`, as JSON can hold them. Paths are those of the command line.

    `place` is the worker's own among the `workers` of a service. 0 is the main one, which has what a service has once.
    `definitions` are the document of a site's own rules, `web` the options of the command alone. With `create`, a
    database is made where there is none.
    """

    url: str
    place: int = 0
    workers: int = 1
    state_dir: str | None = None
    direct: str | None = None
    keys: str | None = None
    create: bool = False
    definitions: dict[str, Any] | None = None
    audit_days: int | None = None
    web: WebSettings = WebSettings()
    tls_cert: str | None = None
    tls_key: str | None = None

    @property
    def is_main(self) -> bool:
        """Whether it is the main worker's."""
        return self.place == 0

    def words(self) -> tuple[list[str], bytes]:
        """The command that starts such a worker, and what it reads from its standard input."""
        return [sys.executable, "-m", "sync.central.worker"], msgspec.json.encode(self)
