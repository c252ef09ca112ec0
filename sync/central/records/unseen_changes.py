"""What changed of a patient since a kiosk last pulled, so that the kiosk could not know of it."""

from dataclasses import dataclass

from sync.central.store.transactions import ReadTransaction
from sync.journey.model import VisitId


@dataclass(frozen=True, slots=True)
class UnseenChanges:
    """`own_changes` counts the versions that the kiosk's own actions led to since its last pull.

    `visit_id` is the day's first visit that someone else opened since, and that was not over at the arrival.
    """

    own_changes: int
    visit_id: VisitId | None


def read_unseen_changes(
    db: ReadTransaction, patient_id: str, kiosk_id: str, base_version: int, day: str, arrived_ms: int
) -> UnseenChanges:
    """What changed of a patient after `base_version`, the journey_version that the kiosk last pulled.

    `day` is the site day of the visit, and `arrived_ms` the trusted arrival (0 where there is none).
    """
    row = db.row(
        "select (select count(distinct changed_version) from verdicts where patient_id = :patient_id"
        " and kiosk_id = :kiosk_id and changed_version > :base_version),"
        " (select visit_id from visits where patient_id = :patient_id and site_day = :day"
        " and opened_version > :base_version and (closed_ms is null or closed_ms >= :arrived_ms)"
        " and visit_id not in (select visit_id from verdicts where patient_id = :patient_id"
        " and kiosk_id = :kiosk_id and visit_id is not null) order by ordinal limit 1)",
        patient_id=patient_id,
        kiosk_id=kiosk_id,
        base_version=base_version,
        day=day,
        arrived_ms=arrived_ms,
    )
    assert row is not None
    return UnseenChanges(*row)
