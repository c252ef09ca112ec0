"""Announces what an import changed, where anybody is shown it.

A document of the night is about many patients who do not come today or tomorrow. No kiosk holds them and no screen
shows them, so nobody waits for their news.
"""

from sync.central.imports.context import ImportContext
from sync.central.records.journeys import mark_changed
from sync.central.records.roster import is_on_roster


def announce(context: ImportContext, patient_id: str, *, was_on_roster: bool = False) -> None:
    """Announces a change of a patient's card, name or booking.

    `was_on_roster`: kiosks held the patient before the change, and may have to forget the patient now.
    """
    if was_on_roster or is_on_roster(context.db, context.definitions, patient_id, context.today):
        mark_changed(context.db, patient_id)
