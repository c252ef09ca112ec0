"""Taking back the acts of a kiosk as the command does it, and what is left afterwards."""

from __future__ import annotations

from typing import Any

from sync.central.commands.portions import in_portions
from sync.central.maintenance.health import check
from sync.central.operations.catalog import operations
from sync.central.store.tables import tables
from sync.clock import iso
from tests.sync.central.wire import ZONE, Centre, Kiosk

REASON = "a stolen box"


def call(centre: Centre, op: str, **arguments: object) -> Any:
    """An operation of the command line."""
    return operations(centre.parts)[op](arguments)


def kiosk_id(kiosk: Kiosk) -> str:
    assert kiosk.journeys.identity is not None
    return kiosk.journeys.identity.kiosk_id


def moment(centre: Centre) -> str:
    """The present time, as an operator writes it."""
    return iso(centre.time(), ZONE)


def undo(
    centre: Centre, kiosk: Kiosk, since: str = "2026-03-01", *, trial: bool = False, **more: object
) -> dict[str, int]:
    """`kiosks undo`: the counts of what became of the acts."""

    def ask(op: str, **arguments: object) -> Any:
        return call(centre, op, **arguments)

    order = {"kiosk_id": kiosk_id(kiosk), "since": since, "reason": REASON, **more}
    period = ask("kiosk-undo", order=order, trial=trial)["period"]
    common = {"period": period, "reason": REASON, "trial": trial}
    counts = in_portions(ask, "kiosk-cases-discard", "cases", common)
    return dict(counts + in_portions(ask, "kiosk-undo-portion", "patients", common))


def is_well(centre: Centre) -> bool:
    with centre.store.read() as db:
        return check(db, centre.definitions).ok


def everything(centre: Centre) -> dict[str, list[dict[str, object]]]:
    """Every row of the database, by table."""
    return {table.name: centre.rows(f"select * from {table.name}") for table in tables()}


def state(centre: Centre, patient_id: str) -> tuple[str, str | None, list[str]]:
    """The journey's state, its visit, and the statuses of the bookings."""
    journey = centre.journey(patient_id)
    return journey.state, journey.visit_id, [each.status for each in journey.appointments]


def entries(centre: Centre, patient_id: str) -> list[tuple[object, object]]:
    rows = centre.rows(
        "select queue_number, state from entries where patient_id = :id order by opened_ms", id=patient_id
    )
    return [(row["queue_number"], row["state"]) for row in rows]


def by_another_kiosk(centre: Centre, other: Kiosk) -> None:
    other.pull()
    other.act("P1", "register")
    other.sync()


def by_another_kiosk_in_vain(centre: Centre, other: Kiosk) -> None:
    """The person was there, though the scan changed nothing."""
    other.tap("P1")
    other.sync()


def by_staff(centre: Centre, _: Kiosk) -> None:
    assert centre.staff("register", "P1").done
