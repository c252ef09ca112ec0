"""Whether the centre works, for programs that watch it or send it requests."""

import sqlite3
from http import HTTPStatus
from typing import Literal

import msgspec
from flask import Flask, Response

from sync.central.centre import Centre
from sync.central.maintenance.disk import WriteWatch
from sync.central.maintenance.timekeeper import doubt_of
from sync.central.services.door import publish
from sync.central.services.told import AboutNobody
from sync.central.store.errors import trouble_of
from sync.central.web.contract import Contract, Contracts
from sync.central.web.http import respond


class HealthAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The centre works. Times are UTC milliseconds.

    `machine_ms` is a time of the machine that it does not believe, `taken_ms` the one that it uses. `ends_ms` is when
    its own certificate ends.
    """

    status: Literal["ok", "clock_in_doubt", "certificate"]
    machine_ms: int | None = None
    taken_ms: int | None = None
    ends_ms: int | None = None


class Unhealthy(msgspec.Struct, frozen=True):
    """The centre does not work as it should: a part of the database is damaged, or it takes no writes."""

    status: str


def add_health_api(app: Flask, centre: Centre, contracts: Contracts) -> None:
    """Adds `/healthz`. A small write is tried, once in five seconds at most."""
    writes = WriteWatch(centre.store)

    @app.get("/healthz", endpoint="healthz")
    def healthz() -> Response:
        found = _health(centre, writes)
        status = HTTPStatus.OK if isinstance(found, HealthAnswer) else HTTPStatus.SERVICE_UNAVAILABLE
        return respond(status, publish(AboutNobody(found)))

    contracts.add(healthz, Contract("Ask whether the centre works", HealthAnswer, fails=Unhealthy))


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
