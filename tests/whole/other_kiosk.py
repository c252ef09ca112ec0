"""The second client of the protocol as a kiosk of a real centre: it sends what no real kiosk would send."""

from __future__ import annotations

from typing import Any

from kiosk.demo.hospital import Person
from tests.commands import central_command
from tests.protocol.second_client import SecondClient, uuid7
from tests.whole.town import Town

GRANTED = ("scan_nfc", "register", "confirm_arrival", "make_payment")


class OtherKiosk(SecondClient):
    """One kiosk, enrolled and with its roster."""

    def __init__(self, town: Town) -> None:
        super().__init__(town.places.central_url)
        grants = [word for action in GRANTED for word in ("--action", action)]
        self.enrol(central_command(town.places, "enroll-code", *grants).strip(), actions=list(GRANTED))
        self.pull()

    def check_in(
        self, person: Person, answers: dict[str, str] | None = None, most: int = 3, **shown: Any
    ) -> list[dict[str, Any]]:
        """Makes the first `most` of a scan, a registration with these answers and an arrival. Sends nothing."""
        common = {"card": self.card(person.uid), "visit_id": uuid7(), **shown}
        common.setdefault("site_day", self.today())
        steps: list[tuple[str, dict[str, Any]]] = [
            ("scan_nfc", {"journey_state": "UNREGISTERED"}),
            ("register", {"journey_state": "ARRIVED", "payload": {"answers": answers} if answers else {}}),
            ("confirm_arrival", {"journey_state": "REGISTERED", "queue_number": self.number()}),
        ]
        return [self.act(action, person.patient_id, **common, **own) for action, own in steps[:most]]

    def pull(self) -> None:
        """Pulls until no page is left."""
        while self.page():
            pass

    def push_all(self) -> None:
        """Pushes until nothing is pending. It sends a refused batch again at once."""
        while self.push() is not None:
            pass

    def today(self) -> str:
        """The site day of the pulled rows."""
        return str(next(iter(self.patients.values()))["journey"]["site_day"])

    def verdicts(self) -> list[tuple[str, str] | None]:
        """Verdict and code of each of its actions, in their order; None for a pending one."""
        return [(row["verdict"]["verdict"], row["verdict"]["code"]) if row["verdict"] else None for row in self.outbox]

    def send(self, rows: list[Any]) -> None:
        """Pushes a batch of these rows, unchanged. Raises Refused."""
        batch = {
            "kiosk_id": self.who["kiosk_id"],
            "epoch": self.epoch,
            "now": self.clock(),
            "server_incarnation": self.incarnation,
            "actions": [self.pushed(row) for row in rows],
        }
        self.ask("/api/v1/sync/push", batch)
