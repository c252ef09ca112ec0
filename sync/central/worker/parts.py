"""The parts of a worker process of the centre, started in order and stopped in reverse."""

import os
import signal
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from flask import Flask

from sync.central.centre import Centre
from sync.central.feed.delivery import Delivery
from sync.central.frames import Begin
from sync.central.maintenance.health_schedule import HealthSchedule
from sync.central.maintenance.housekeeping import Housekeeping
from sync.central.maintenance.incarnation import host_id
from sync.central.maintenance.timekeeper import following
from sync.central.opening import open_centre
from sync.central.operations.catalog import operations_for
from sync.central.records.audit_kinds import KEPT_DAYS
from sync.central.records.incarnation import read_incarnation
from sync.central.records.web_settings import read_web_settings
from sync.central.services.web_settings import chosen
from sync.central.tls.certificate import ServedCertificate
from sync.central.web.app import create_app
from sync.central.web.socket_places import MAX_SOCKETS, SocketPlaces
from sync.central.worker.plan import Plan
from sync.control import ControlServer, socket_path
from sync.database_watch import DatabaseWatch
from sync.journey.definitions import read, shipped


class OpenCentre:
    """A centre with its database open, before it serves."""

    def __init__(self, plan: Plan) -> None:
        """Opens the files that the plan names. Raises StoreError, or OSError for a certificate."""
        certificate = None
        if plan.tls_cert:
            key = Path(plan.tls_key) if plan.tls_key else None
            # The gateway shows it, and tells of it in the log.
            certificate = ServedCertificate(Path(plan.tls_cert), key, is_shown=False)
        rules = read(plan.definitions) if plan.definitions else shipped()
        opened = open_centre(
            plan.url,
            Path(plan.keys) if plan.keys else None,
            rules,
            state_dir=Path(plan.state_dir) if plan.state_dir else None,
            direct=plan.direct,
            create=plan.create,
            is_main=plan.is_main,
        )
        self._centre = replace(opened, certificate=certificate)
        self._plan = plan
        with opened.store.read() as db:
            self.web = chosen(plan.web, read_web_settings(db))
            found = read_incarnation(db)
        self.incarnation = found.server_incarnation if found else ""

    def begin(self, begin: Begin) -> "Worker":
        """Starts every part. Raises OSError where the control socket cannot be made."""
        return Worker(self._centre, self._plan, begin)

    def close(self) -> None:
        """Closes the database."""
        self._centre.store.close()


class Worker:
    """A centre over its database, with housekeeping, health check and web application.

    The main worker has the control socket.
    """

    def __init__(self, centre: Centre, plan: Plan, begin: Begin) -> None:
        self._centre = centre
        self.counts = centre.counts
        self._housekeeping = Housekeeping(self._centre, audit_days=plan.audit_days or KEPT_DAYS, is_main=plan.is_main)
        self._health = HealthSchedule(centre)
        self._delivery = Delivery(self._centre)
        self._following = ExitStack()
        self._following.enter_context(following(centre.store.news, host_id(centre.store.place.state), centre.clock))
        self._watch = DatabaseWatch(self._centre.store.tend, _end_process)
        served = partial(operations_for, self._centre)
        path = socket_path(self._centre.store.place.state)
        self._control = ControlServer(path, served) if plan.is_main else None
        # Only a worker knows whose token is valid, so it counts: at the gateway strangers would take the places.
        places = SocketPlaces(MAX_SOCKETS // plan.workers)
        try:
            self.app: Flask = create_app(self._centre, places, web=begin.web, proxies_only=begin.proxies_only)
            if self._control is not None:
                self._control.start()
        except BaseException:
            self._centre.store.close()
            raise
        self._housekeeping.start()
        self._health.start()
        self._delivery.start()
        self._centre.store.check_in_background()
        self._watch.start()

    def end_waiting(self) -> None:
        """Ends the calls that wait for news, so that nothing holds up a stop."""
        self._centre.store.news.close()

    def close(self) -> None:
        """Ends the rest, the database last."""
        self.end_waiting()
        self._watch.stop()
        if self._control is not None:
            self._control.stop()
        self._health.stop()
        self._delivery.stop()
        self._housekeeping.stop()
        self._following.close()
        self._centre.store.close()


def _end_process() -> None:
    """Stops this worker in order: another one starts, and opens what the watch has saved."""
    os.kill(os.getpid(), signal.SIGTERM)
