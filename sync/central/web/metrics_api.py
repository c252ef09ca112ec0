"""The metrics for Prometheus. The gateway adds its own, which are the sums over all workers."""

from collections.abc import Iterator

from flask import Flask, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sync.central.centre import Centre
from sync.central.maintenance.figures import Figures, KioskFigures, read_figures
from sync.central.records.last_check import LastCheck
from sync.central.services.door import publish_text
from sync.central.web.contract import Contract, Contracts
from sync.central.web.http import respond_error, respond_text
from sync.central.web.watching import REFUSES, refusal_of_watcher
from sync.metrics import MEDIA


def add_metrics_api(app: Flask, centre: Centre, contracts: Contracts) -> None:
    """Adds `/metrics`."""

    @app.get("/metrics", endpoint="metrics")
    def metrics() -> Response:
        refused = refusal_of_watcher(centre)
        return (
            respond_error(refused) if refused else respond_text(publish_text(_exposition(read_figures(centre))), MEDIA)
        )

    contracts.add(metrics, Contract("Read the metrics, for Prometheus", str, refuses=REFUSES, media=MEDIA))


def _exposition(figures: Figures) -> str:
    registry = CollectorRegistry()
    registry.register(_Told(figures))
    return generate_latest(registry).decode()


class _Told(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures
        queue = _gauge("queue_entries", "Queue entries of the site's day, by state.", "state")
        for state, number in figures.queue.items():
            queue.add_metric((state,), number)
        yield queue
        yield _single("open_cases", "Cases that wait for staff.", figures.open_cases)
        offset_s = figures.clock_offset_ms / 1000
        yield _single("clock_offset_seconds", "Machine's clock less the time that the centre uses.", offset_s)
        if figures.last_check is not None:
            yield from _of_check(figures.last_check)
        yield from _of_kiosks(figures.kiosks)


def _of_check(check: LastCheck) -> Iterator[Metric]:
    found = _gauge("check_findings", "What the last health check found, by kind.", "kind")
    for kind, number in check.found.items():
        found.add_metric((kind,), number)
    yield found
    yield _single("check_timestamp_seconds", "When the last health check ended (Unix time).", check.ended_ms / 1000)
    yield _single("check_seconds", "How long the last health check took.", check.took_ms / 1000)


def _of_kiosks(kiosks: tuple[KioskFigures, ...]) -> Iterator[Metric]:
    seen = _gauge("kiosk_seen_timestamp_seconds", "Last contact of each kiosk (Unix time), true to a minute.", "kiosk")
    waiting = _gauge("kiosk_waiting_actions", "Actions that wait at each kiosk, as it last told.", "kiosk")
    for each in kiosks:
        if each.seen_ms is not None:
            seen.add_metric((each.kiosk_id,), each.seen_ms / 1000)
        waiting.add_metric((each.kiosk_id,), each.backlog.waiting if each.backlog else 0)
    yield seen
    yield waiting


def _gauge(name: str, help_text: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"nfc_centre_{name}", help_text, labels=(label,))


def _single(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"nfc_centre_{name}", help_text, value)
