"""The metrics of both real programs, and the files of docs/monitoring/ held against them and by promtool."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from kiosk.demo import hospital
from kiosk.demo.hospital import wait_for
from tests.components import debian_program
from tests.scraped import Scraped, scrape
from tests.sync.central.online import WholeClient
from tests.whole.town import WAIT_S, Town

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("monitoring")]
FILES = Path(__file__).parent.parent.parent / "docs/monitoring"
PROMETHEUS_OWN = {"up"}
_METRIC = re.compile(r"\b(?:nfc_(?:centre|kiosk)|process)_\w+|\bup\b")
AGE = "nfc_kiosk_outbox_age_seconds"
_TEXT = re.compile(r'"[^"]*"|\{\{.*?\}\}')


class Watched(Town):
    """A hospital whose kiosk serves its metrics. A second reader is configured and not there."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.metrics_port = hospital.free_port()
        with self.places.config.open("a", encoding="utf-8") as config:
            config.write('[[reader]]\nkind = "nfcpy"\npath = "tty:NO9:pn532"\n')
            config.write(f'[metrics]\nlisten = "127.0.0.1:{self.metrics_port}"\n')

    def of_kiosk(self) -> Scraped:
        return scrape(f"http://127.0.0.1:{self.metrics_port}")

    def of_centre(self) -> Scraped:
        return scrape(self.places.central_url)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    made = Watched(tmp_path_factory.mktemp("watched"))
    made.open()
    yield made
    made.close()


def test_a_kiosk_that_is_cut_off_tells_what_waits_and_how_long(town: Watched):
    person = town.people[0]
    town.check_in(person)
    town.await_settled()
    before = town.of_kiosk()
    assert (before.value("nfc_kiosk_outbox_actions"), before.value(AGE)) == (0, 0)
    assert before.by("nfc_kiosk_actions_total", "action", "outcome") == {
        ("scan_nfc", "done"): 1,
        ("register", "done"): 1,
        ("confirm_arrival", "done"): 1,
    }
    town.go_offline()
    town.check_in(town.people[1])
    cut = town.of_kiosk()
    assert (cut.value("nfc_kiosk_outbox_actions"), cut.value("nfc_kiosk_online")) == (3, 0)
    assert cut.value(AGE) > 0
    wait_for(lambda: town.of_kiosk().value(AGE) > cut.value(AGE), "the age does not grow", WAIT_S)
    away = town.of_kiosk()
    town.wire.mend()
    town.await_settled()
    wait_for(lambda: town.status()["online"], "the kiosk stays offline", WAIT_S)
    after = town.of_kiosk()
    assert (after.value("nfc_kiosk_outbox_actions"), after.value(AGE)) == (0, 0)
    lost = away.value("nfc_kiosk_centre_wanted_seconds_total") - cut.value("nfc_kiosk_centre_wanted_seconds_total")
    assert lost > 0
    assert away.value("nfc_kiosk_centre_connected_seconds_total") == cut.value(
        "nfc_kiosk_centre_connected_seconds_total"
    )
    assert town.of_centre().by("nfc_centre_verdicts_total", "verdict") == {"applied": 6}


def test_the_readers_tell_their_states(town: Watched):
    wait_for(
        lambda: ("tty:NO9:pn532", "absent") in town.of_kiosk().by("nfc_kiosk_reader_state", "reader", "state"),
        "the reader that is not there is not told",
        WAIT_S,
    )
    assert town.of_kiosk().by("nfc_kiosk_reader_state", "reader", "state")["simulated", "ready"] == 1


def test_both_clocks_of_one_machine_agree(town: Watched):
    assert abs(town.of_kiosk().value("nfc_kiosk_clock_offset_seconds")) < WAIT_S
    assert town.of_centre().value("nfc_centre_clock_offset_seconds") == 0


def page_socket(town: Watched) -> WholeClient:
    """The socket of a browser that has the page open."""
    cookie = "; ".join(f"{name}={value}" for name, value in town.page.cookies().items())
    headers = {"Cookie": cookie, "Origin": town.places.kiosk_url}
    return WholeClient(f"{town.places.kiosk_url.replace('http:', 'ws:')}/ws", headers=headers)


def test_a_browser_that_has_the_page_open_is_what_a_tap_is_timed_to(town: Watched):
    before = town.of_kiosk().value("nfc_kiosk_tap_to_screen_seconds_count")
    with closing(page_socket(town)) as page:
        assert page.receive(timeout=WAIT_S) is not None
        town.tap(town.people[2])
        wait_for(
            lambda: town.of_kiosk().value("nfc_kiosk_tap_to_screen_seconds_count") == before + 1,
            "the tap is not timed",
            WAIT_S,
        )
    found = town.of_kiosk()
    assert 0 < found.value("nfc_kiosk_tap_to_screen_seconds_sum") < WAIT_S
    assert found.value("nfc_kiosk_insert_to_uid_seconds_count") == sum(
        found.by("nfc_kiosk_taps_total", "outcome").values()
    )


def test_no_figure_of_the_kiosk_names_a_person(town: Watched):
    text = requests.get(f"http://127.0.0.1:{town.metrics_port}/metrics", timeout=WAIT_S).text
    for person in town.people:
        assert person.patient_id not in text
        assert person.uid not in text


@pytest.mark.promtool
def test_promtool_accepts_what_both_ends_tell(town: Watched):
    for url in (town.places.central_url, f"http://127.0.0.1:{town.metrics_port}"):
        told = requests.get(f"{url}/metrics", timeout=WAIT_S).content
        done = subprocess.run(
            [debian_program("promtool"), "check", "metrics"], input=told, capture_output=True, check=False
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.promtool
@pytest.mark.parametrize("words", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")])
def test_promtool_accepts_the_files(words: tuple[str, ...]):
    done = subprocess.run([debian_program("promtool"), *words], cwd=FILES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def dashboard() -> dict[str, Any]:
    return dict(json.loads((FILES / "dashboard.json").read_text("utf-8")))


def expressions() -> list[str]:
    """Every query of the dashboard and of the alerts."""
    queries = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]
    blocks = re.findall(
        r"^ +expr: (\|\n(?:(?: {10,}.*)?\n)+|.*\n)", (FILES / "alerts.yml").read_text("utf-8"), re.MULTILINE
    )
    assert len(blocks) == 22, "an expression of the alerts is not found"
    return [*queries, *blocks]


def test_every_query_names_metrics_that_exist(town: Watched):
    told = town.of_centre().names | town.of_kiosk().names | PROMETHEUS_OWN
    named = {name for each in expressions() for name in _METRIC.findall(_TEXT.sub("", each))}
    assert named - told == set()


def test_every_metric_is_documented_and_every_documented_metric_exists(town: Watched):
    own = [set(each.families) for each in (town.of_centre(), town.of_kiosk())]
    told = {name for families in own for name in families if name.startswith("nfc_")}
    rows = re.findall(r"^\| `(nfc_\w+)`", (FILES / "monitoring.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(each.removesuffix("_total") for each in rows) == sorted(told)


def test_the_dashboard_can_be_imported():
    panels = dashboard()["panels"]
    assert dashboard()["schemaVersion"] >= 38
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(target["datasource"]["uid"] == "${datasource}" for each in panels for target in each.get("targets", ()))
    assert dashboard()["templating"]["list"][0]["name"] == "datasource"
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
