"""What the taking of old rows needs, and what it says of each."""

from collections.abc import Mapping, Sequence

import msgspec

from sync.central.legacy.layout import Kind, Layout
from sync.central.legacy.reading import OldRow
from sync.central.legacy.reasons import Reason, fate_of
from sync.central.legacy.values import happened_ms, id_of
from sync.central.records.history import Provenance
from sync.central.records.legacy import KeptRow
from sync.central.records.patients import add_patient, read_patients_ahead
from sync.central.records.site import SiteSettings
from sync.central.store.set_transaction import SetTransaction
from sync.clock import TimeQuality
from sync.journey.definitions import Definitions
from sync.journey.model import Exam, Trigger
from sync.words.masks import masked

SOURCE = Trigger.LEGACY.value


class LegacyContext(msgspec.Struct, frozen=True):
    """The transaction of a portion of old rows, the rules, the site and its exams, the layout, and the time.

    `today` is the day of the site at `now_ms` (UTC ms).
    """

    db: SetTransaction
    definitions: Definitions
    site: SiteSettings
    exams: Mapping[str, Exam]
    layout: Layout
    today: str
    now_ms: int

    def when(self, row: OldRow) -> tuple[int, Reason | None]:
        """When a row happened (UTC ms), and the fault of its time. A table without times is no fault of a row."""
        at_ms, fault = happened_ms(row.holds.get("time"), self.layout.zone, self.now_ms)
        return at_ms, fault if "time" in row.holds else None

    def provenance(self, happened_ms: int, who: str = SOURCE) -> Provenance:
        """The origin of a row of the history that the old system, or this migration, has written."""
        return Provenance(SOURCE, who, happened_ms, self.now_ms, TimeQuality.CLAIMED)


class Judged(msgspec.Struct, frozen=True):
    """What became of an old row: its faults, and the id of what was made of it, or of the patient; None for neither."""

    row: OldRow
    reasons: Sequence[Reason] = ()
    our_id: str | None = None

    def kept(self, kind: Kind) -> KeptRow:
        """The row as it is kept."""
        codes = tuple(dict.fromkeys(reason.code for reason in self.reasons))
        return KeptRow(kind, self.row.place, self.row.key, fate_of(self.reasons), codes, self.our_id, self.row.content)


def patients_of(context: LegacyContext, rows: Sequence[OldRow]) -> list[str | Reason]:
    """The patient of each row, in the order of the rows. One who is unknown here is added, with the id as name."""
    named = [_named(row) for row in rows]
    ids = {each for each in named if isinstance(each, str)}
    meant = read_patients_ahead(context.db, ids) if ids else {}
    for patient_id in sorted(each for each in ids if meant[each] is None):
        values = {
            "name": patient_id,
            "masked_name": masked(patient_id),
            "language": context.site.site.languages[0],
            "birth_date": None,
        }
        add_patient(context.db, context.definitions, patient_id, values, context.today, context.now_ms)
    return [meant[each] or each if isinstance(each, str) else each for each in named]


def _named(row: OldRow) -> str | Reason:
    if row.holds.get("user") is None:
        return Reason.NO_PATIENT
    return Reason.UNKNOWN_PATIENT if row.patient is None else id_of(row.patient)
