"""The days of bookings, visits and journeys where the clock of the site was corrected."""

from sync.central.store.transactions import ReadTransaction, WriteTransaction


def days_are_derived(db: ReadTransaction) -> bool:
    """Whether the days of all bookings are by the present clock of the site. True without a hospital."""
    row = db.row(
        "select 1 from site s join derived_days d on d.id = s.id"
        " where s.timezone <> d.timezone or s.day_starts_at <> d.day_starts_at"
    )
    return row is None


def derived_until(db: ReadTransaction) -> str:
    """The last booking that the correction has reached; "" before the first."""
    return str(db.value("select after_id from derived_days"))


def note_derived(db: WriteTransaction, after_id: str) -> None:
    """Notes the last booking that the correction has reached."""
    db.execute("update derived_days set after_id = :after_id", {"after_id": after_id})


def end_derivation(db: WriteTransaction, timezone: str, day_starts_at: str) -> None:
    """Notes that the days of all bookings are by this clock of the site."""
    db.execute(
        "update derived_days set timezone = :timezone, day_starts_at = :day_starts_at, after_id = ''",
        {"timezone": timezone, "day_starts_at": day_starts_at},
    )


def bookings_to_derive(db: ReadTransaction, first_day: str, after_id: str) -> list[str]:
    """The bookings of the site day `first_day` or later that come after `after_id`, by id."""
    rows = db.rows(
        "select appointment_id from appointments where site_day >= :first_day and appointment_id > :after_id"
        " order by appointment_id",
        first_day=first_day,
        after_id=after_id,
    )
    return [row["appointment_id"] for row in rows]


def move_visits(db: WriteTransaction, before: str, after: str) -> None:
    """Moves the visits under way, with their journeys and entries, from the site day `before` to the day `after`.

    A booking in use goes along: nobody loses a place in line because a clock was corrected.
    """
    if before == after:
        return
    days = {"before": before, "after": after}
    patients = db.rows(
        "select patient_id from journeys where site_day = :before and visit_id is not null", before=before
    )
    for patient in patients:
        scope = {**days, "patient_id": patient["patient_id"]}
        db.execute(
            "update appointments set site_day = :after where patient_id = :patient_id and appointment_id in"
            " (select e.appointment_id from entries e where e.patient_id = :patient_id and e.site_day = :before)",
            scope,
        )
        db.execute(
            "update visits set site_day = :after, ordinal = ordinal + (select coalesce(max(v.ordinal), 0) from visits v"
            " where v.patient_id = :patient_id and v.site_day = :after)"
            " where patient_id = :patient_id and site_day = :before",
            scope,
        )
        for table in ("entries", "journeys"):
            db.execute(
                f"update {table} set site_day = :after"  # noqa: S608
                " where patient_id = :patient_id and site_day = :before",
                scope,
            )
