"""Whether the centre works, for programs that watch it or send it requests."""

import sqlite3
from http import HTTPStatus
from typing import Literal

import msgspec
from flask import Flask, Response, request
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.maintenance.disk import WriteWatch
from sync.central.maintenance.timekeeper import doubt_of
from sync.central.records.last_check import LastCheck, read_last_check
from sync.central.records.log_blocks import last_block
from sync.central.records.log_check import read_log_check
from sync.central.services.door import publish
from sync.central.services.told import AboutNobody
from sync.central.store.errors import trouble_of
from sync.central.web.contract import Contract, Contracts
from sync.central.web.http import respond, respond_error
from sync.central.web.watching import REFUSES, refusal_of_watcher


class LogHead(msgspec.Struct, frozen=True):
    """The last block of the access log, and how many faults the last verification has found; null before the first."""

    block: int
    digest: str
    sealed_ms: int
    faults: int | None


class HealthAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The centre works. Times are UTC milliseconds.

    `machine_ms` is a time of the machine that it does not believe, `taken_ms` the one that it uses. `ends_ms` is when
    its own certificate ends. In the whole answer alone: `check` is the last health check that ran by itself, and
    `access_log` the end of the chain of the access log, to be kept where nobody who can change the database reaches it.
    """

    status: Literal["ok", "clock_in_doubt", "certificate"]
    machine_ms: int | None = None
    taken_ms: int | None = None
    ends_ms: int | None = None
    check: LastCheck | None = None
    access_log: LogHead | None = None


class HealthQuery(msgspec.Struct, frozen=True):
    """`full`, with any value or none: asks for the last health check too."""

    full: str | None = None


class Unhealthy(msgspec.Struct, frozen=True):
    """The centre does not work as it should: a part of the database is damaged, or it takes no writes."""

    status: str


def add_health_api(app: Flask, centre: Centre, contracts: Contracts) -> None:
    """Adds `/healthz`. A small write is tried, once in five seconds at most."""
    writes = WriteWatch(centre.store)

    @app.get("/healthz", endpoint="healthz")
    def healthz() -> Response:
        is_full = "full" in request.args
        if is_full and (refused := refusal_of_watcher(centre)):
            return respond_error(refused)
        found = _health(centre, writes)
        if is_full and isinstance(found, HealthAnswer):
            found = replace(found, check=_last_check(centre), access_log=_log_head(centre))
        status = HTTPStatus.OK if isinstance(found, HealthAnswer) else HTTPStatus.SERVICE_UNAVAILABLE
        return respond(status, publish(AboutNobody(found)))

    contract = Contract(
        "Ask whether the centre works", HealthAnswer, query=HealthQuery, refuses=REFUSES, fails=Unhealthy
    )
    contracts.add(healthz, contract)


def _last_check(centre: Centre) -> LastCheck | None:
    with centre.store.glance() as db:
        return read_last_check(db)


def _log_head(centre: Centre) -> LogHead | None:
    with centre.store.read() as db:
        head, check = last_block(db), read_log_check(db)
    return LogHead(head.block, head.digest, head.sealed_ms, check.faults if check else None) if head else None


def _health(centre: Centre, writes: WriteWatch) -> HealthAnswer | Unhealthy:
    try:
        centre.store.probe()
    except sqlite3.OperationalError as error:
        return Unhealthy(trouble_of(error))
    if trouble := writes.trouble():
        return Unhealthy(trouble)
    if centre.store.damage:
        return Unhealthy("damaged")
    if doubt := doubt_of(centre.clock):
        return HealthAnswer("clock_in_doubt", doubt.machine_ms, doubt.taken_ms)
    shown = centre.certificate.state() if centre.certificate else None
    if shown and not shown.is_well:
        return HealthAnswer("certificate", ends_ms=shown.ends_ms)
    return HealthAnswer("ok")
