"""Imports a hospital document into the database, completely or not at all. A second import of it changes nothing.

Records that the document leaves out stay as they are. A patient id that was merged into another patient means the other
patient. The other patient gets the cards and bookings, and keeps the name and the language.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from sync.cards import CardKeys, RefusedCard, judge_tag
from sync.central.conflicts.gather import judging_context
from sync.central.conflicts.rejudge import rejudge_card
from sync.central.records.appointments import BookingRow, patients_booked_for, read_booking, write_booking
from sync.central.records.bindings import BindingSource, Origin, bind, binding_of_card, bindings_of, was_bound_to
from sync.central.records.card_blocks import block_of_card
from sync.central.records.exams import is_exam, put_exam
from sync.central.records.journeys import mark_changed
from sync.central.records.kiosks import is_prefix_of_kiosk
from sync.central.records.patients import patient_named, put_patient
from sync.central.records.site import NoSite, SiteSettings, read_site, write_site
from sync.central.services.hospital_document import (
    AppointmentPart,
    DocumentError,
    ExamPart,
    Hospital,
    PatientPart,
    SitePart,
)
from sync.central.store.transactions import WriteTransaction
from sync.ids import new_id
from sync.journey.definitions import Definitions
from sync.journey.meaning import came_to_nothing
from sync.journey.model import Exam, ExamId


class ImportReport(msgspec.Struct, frozen=True):
    """The number of new or changed rows of each kind."""

    exams: int
    patients: int
    cards: int
    appointments: int


def take_hospital(
    db: WriteTransaction, definitions: Definitions, keys: CardKeys, hospital: Hospital, now_ms: int
) -> ImportReport:
    """Imports a document in the caller's transaction. Raises DocumentError where it names an unknown record."""
    changed_exams = [exam.exam_id for exam in hospital.exams if put_exam(db, _exam(exam))]
    if hospital.site:
        put_site(db, hospital.site)
    try:
        site = read_site(db)
    except NoSite as error:
        raise DocumentError("site is missing, and the database holds none yet") from error
    importing = _Import(db, definitions, keys, site, site.day(now_ms), now_ms)
    result = ImportReport(
        len(changed_exams),
        sum(importing.patient(patient) for patient in hospital.patients),
        sum(importing.card(patient.patient_id, card) for patient in hospital.patients for card in patient.cards),
        sum(importing.appointment(appointment) for appointment in hospital.appointments),
    )
    importing.announce_exams(changed_exams)
    return result


def put_site(db: WriteTransaction, site: SitePart) -> None:
    """Writes the row of the site. Raises DocumentError where its desk is no exam, or its prefix is a kiosk's."""
    if not is_exam(db, site.desk):
        raise DocumentError(f"the desk {site.desk!r} is not among the exams")
    if is_prefix_of_kiosk(db, site.ticket_prefix):
        raise DocumentError(f"the ticket_prefix {site.ticket_prefix} is a kiosk's")
    write_site(db, **msgspec.structs.asdict(site))


@dataclass(frozen=True, slots=True)
class _Import:
    """One document in its transaction. Each method writes one part and returns whether anything changed."""

    db: WriteTransaction
    definitions: Definitions
    keys: CardKeys
    site: SiteSettings
    today: str
    now_ms: int

    def patient(self, part: PatientPart) -> bool:
        if patient_named(self.db, part.patient_id) not in (None, part.patient_id):
            return False
        return put_patient(
            self.db,
            self.definitions,
            part.patient_id,
            part.name,
            today=self.today,
            now_ms=self.now_ms,
            masked_name=part.masked_name,
            language=part.language,
            birth_date=part.birth_date,
        )

    def card(self, named: str, card: str) -> bool:
        patient_id = patient_named(self.db, named)
        assert patient_id is not None
        try:
            canonical = judge_tag(card)
        except ValueError as error:
            raise DocumentError(f"a card of patient {named}: {error}") from error
        if isinstance(canonical, RefusedCard):
            raise DocumentError(f"a card of patient {named} cannot be bound: {canonical.why}")
        hashes = self.keys.hashes(canonical)
        holder = binding_of_card(self.db, hashes)
        theirs = holder is not None and holder.patient_id == patient_id
        if not theirs and was_bound_to(self.db, patient_id, hashes):
            return False  # The card's binding to the patient has ended since. An older document does not undo that.
        if holder is not None and not theirs:
            raise DocumentError(f"a card of patient {named} belongs to patient {holder.patient_id}")
        if block_of_card(self.db, hashes) is not None:
            raise DocumentError(f"a card of patient {named} is blocked: it was reported lost")
        before = bindings_of(self.db, patient_id)
        bind(self.db, patient_id, hashes, new_id(), self.now_ms, _SOURCE)
        if bindings_of(self.db, patient_id) == before:
            return False
        mark_changed(self.db, patient_id)
        rejudge_card(self.db, judging_context(self.db, self.definitions, new_id, self.now_ms), hashes, _SOURCE.who)
        return True

    def appointment(self, part: AppointmentPart) -> bool:
        scheduled_ms, patient_id = self._moment(part), patient_named(self.db, part.patient_id)
        known = read_booking(self.db, part.appointment_id)
        if known and (known.patient_id, known.exam_id, known.scheduled_ms) == (patient_id, part.exam_id, scheduled_ms):
            return False
        if patient_id is None:
            raise _unknown(part, "patient", part.patient_id)
        if not is_exam(self.db, part.exam_id):
            raise _unknown(part, "exam", part.exam_id)
        if known is not None and known.patient_id != patient_id:
            raise DocumentError(f"appointment {part.appointment_id} is another patient's")
        status, day = self.definitions.fresh_appointment, self.site.day(scheduled_ms)
        if known is not None and known.site_day == day and not self._is_rebooked(known, scheduled_ms):
            status = known.status
        booking = BookingRow(part.appointment_id, patient_id, part.exam_id, scheduled_ms, day, status)
        write_booking(self.db, booking)
        mark_changed(self.db, patient_id)
        return True

    def _is_rebooked(self, known: BookingRow, scheduled_ms: int) -> bool:
        """Whether a booking that was cancelled or missed got another time within its day."""
        return known.scheduled_ms != scheduled_ms and came_to_nothing(self.definitions, known.status)

    def announce_exams(self, exam_ids: list[str]) -> None:
        """Announces every patient booked for a changed exam: its label and room are shown with the booking."""
        for exam_id in exam_ids:
            for patient_id in patients_booked_for(self.db, exam_id, self.today):
                mark_changed(self.db, patient_id)

    def _moment(self, part: AppointmentPart) -> int:
        try:
            moment = datetime.fromisoformat(part.scheduled_at)
        except ValueError as error:
            raise DocumentError(f"appointment {part.appointment_id}: scheduled_at is no ISO 8601 time") from error
        if moment.year not in _YEARS:
            raise DocumentError(f"appointment {part.appointment_id}: scheduled_at is not within 2000 to 2999")
        local = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.site.site.timezone))
        return int(local.timestamp() * 1000)


def _exam(part: ExamPart) -> Exam:
    return Exam(ExamId(part.exam_id), part.title, part.public_label, part.room, part.minutes, part.overnight)


def _unknown(part: AppointmentPart, what: str, value: str) -> DocumentError:
    return DocumentError(f"appointment {part.appointment_id} names an unknown {what}: {value}")


_SOURCE = BindingSource(Origin.IMPORT, "import")
_YEARS = range(2000, 3000)
