"""Changes of a patient since a kiosk's last pull, which the kiosk cannot know."""

from sync.central.store.transactions import ReadTransaction
from sync.journey.model import VisitId


def own_changes_since(db: ReadTransaction, patient_id: str, kiosk_id: str, base_version: int) -> int:
    """The number of versions above `base_version` of a patient's journey that the kiosk's own actions led to.

    `base_version` is the journey_version that the kiosk last pulled.
    """
    count: int = db.value(
        "select count(distinct changed_version) from verdicts where patient_id = :patient_id"
        " and kiosk_id = :kiosk_id and changed_version > :base_version",
        patient_id=patient_id,
        kiosk_id=kiosk_id,
        base_version=base_version,
    )
    return count


def unseen_visit_since(
    db: ReadTransaction, patient_id: str, kiosk_id: str, base_version: int, day: str, arrived_ms: int
) -> VisitId | None:
    """The first visit of a site day that another sender opened above `base_version`, and that was open at the arrival.

    `arrived_ms` is the trusted time of arrival. It is 0 where no clock can be trusted; every visit counts as open then.
    """
    row = db.row(
        "select visit_id from visits where patient_id = :patient_id and site_day = :day"
        " and opened_version > :base_version and (closed_ms is null or closed_ms >= :arrived_ms)"
        " and visit_id not in (select visit_id from verdicts where patient_id = :patient_id"
        " and kiosk_id = :kiosk_id and visit_id is not null) order by ordinal limit 1",
        patient_id=patient_id,
        kiosk_id=kiosk_id,
        base_version=base_version,
        day=day,
        arrived_ms=arrived_ms,
    )
    return VisitId(row["visit_id"]) if row else None
