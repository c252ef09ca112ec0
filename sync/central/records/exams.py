"""Exams as rows, the desk for patients without a booking among them."""

from collections.abc import Collection

from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import UNREAD, Question, ReadTransaction, WriteTransaction, each_of
from sync.journey.model import Exam, ExamId


def is_exam(db: ReadTransaction, exam_id: str) -> bool:
    """Whether there is an exam of this id."""
    return read_exam(db, exam_id) is not None


def read_exam(db: ReadTransaction, exam_id: str) -> Exam | None:
    """The exam of an id, or None."""
    known = db.known(_EXAM, exam_id)
    if known is not UNREAD:
        return known
    row = db.row(f"{_EXAMS} where exam_id = :exam_id", exam_id=exam_id)
    return exam_of_row(*row) if row else None


def all_exams(db: ReadTransaction) -> dict[str, Exam]:
    """Every exam by its id."""
    return {row["exam_id"]: exam_of_row(*row) for row in db.rows(_EXAMS)}


def read_exams_ahead(db: SetTransaction, exam_ids: Collection[str]) -> None:
    """Reads the exams of these ids."""
    names, parameters = each_of("exam", exam_ids)
    rows = db.rows(f"{_EXAMS} where exam_id in {names}", **parameters)
    db.read_ahead(_EXAM, dict.fromkeys(exam_ids) | {row["exam_id"]: exam_of_row(*row) for row in rows})


def put_exam(db: WriteTransaction, exam: Exam) -> bool:
    """Adds an exam, or updates it. Returns whether anything changed."""
    if read_exam(db, exam.exam_id) == exam:
        return False
    db.execute(
        "insert into exams values (:exam_id, :title, :public_label, :room, :minutes, :overnight, :by_booking)"
        " on conflict (exam_id) do update set title = excluded.title, public_label = excluded.public_label,"
        " room = excluded.room, minutes = excluded.minutes, overnight = excluded.overnight,"
        " by_booking = excluded.by_booking",
        {
            "exam_id": exam.exam_id,
            "title": exam.title,
            "public_label": exam.public_label,
            "room": exam.room,
            "minutes": exam.minutes,
            "overnight": int(exam.overnight),
            "by_booking": int(exam.by_booking),
        },
    )
    return True


def exam_of_row(
    exam_id: str, title: str, public_label: str, room: str, minutes: int, overnight: int, by_booking: int
) -> Exam:
    """An exam from the columns of the table, in their order."""
    return Exam(ExamId(exam_id), title, public_label, room, minutes, bool(overnight), bool(by_booking))


_EXAM: Question[str, Exam | None] = Question()
_EXAMS = "select exam_id, title, public_label, room, minutes, overnight, by_booking from exams"
