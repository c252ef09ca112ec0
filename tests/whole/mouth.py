"""Another kiosk's mouth: the second client of the protocol at a real centre, for what no real kiosk would say."""

from __future__ import annotations

from typing import Any

from kiosk.demo import hospital
from kiosk.demo.hospital import Person
from tests.protocol.second_client import SecondClient, uuid7
from tests.whole.town import Town

GRANTED = ("scan_nfc", "register", "confirm_arrival", "make_payment")


class Mouth(SecondClient):
    """One kiosk, enrolled and with its roster. `said` are the bodies of its actions, in their order."""

    def __init__(self, town: Town) -> None:
        super().__init__(town.places.central_url)
        self.enrol(hospital.central_command(town.places, "enroll-code").strip(), actions=list(GRANTED))
        self.pull()

    def check_in(
        self, person: Person, answers: dict[str, str] | None = None, most: int = 3, **shown: Any
    ) -> list[dict[str, Any]]:
        """The first `most` of a card, a registration with these answers, and a confirmed arrival; nothing is sent."""
        beside = {"cards": self.card(person.uid), "visit_id": uuid7(), **shown}
        day = beside.setdefault("site_day", self.today())
        steps: list[tuple[str, dict[str, Any]]] = [
            ("scan_nfc", {"journey_state": "UNREGISTERED"}),
            ("register", {"journey_state": "ARRIVED", "payload": {"answers": answers} if answers else {}}),
            ("confirm_arrival", {"journey_state": "REGISTERED", "queue_number": self.number(day)}),
        ]
        return [self.act(action, person.patient_id, **beside, **own) for action, own in steps[:most]]

    def pull(self) -> None:
        """Until there is nothing new."""
        while self.page():
            pass

    def push_all(self) -> None:
        """Until nothing is pending. It waits for nobody: what is refused is sent again at once."""
        while self.push() is not None:
            pass

    def today(self) -> str:
        """The site day by the pulled rows."""
        return str(next(iter(self.patients.values()))["journey"]["site_day"])

    def told(self) -> list[tuple[str, str] | None]:
        """What it was told of each of its actions, in their order; None of one that is pending."""
        return [(row["verdict"]["verdict"], row["verdict"]["code"]) if row["verdict"] else None for row in self.outbox]

    def send(self, rows: list[Any]) -> None:
        """A batch of these rows, as they stand. Raises Refused."""
        batch = {
            "kiosk_id": self.who["kiosk_id"],
            "epoch": self.epoch,
            "now": self.clock(),
            "server_incarnation": self.incarnation,
            "actions": [self.pushed(row) for row in rows],
        }
        self.ask("/api/v1/sync/push", batch)
