"""Makes and uses a database of the old system by its own Django models, in a process of its own:

python -m tests.sync.central.legacy.old_system make URL PATIENTS
python -m tests.sync.central.legacy.old_system spoil URL
python -m tests.sync.central.legacy.old_system fill URL PATIENTS
python -m tests.sync.central.legacy.old_system read URL
python -m tests.sync.central.legacy.old_system work URL
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # ten in the morning in Seoul
EXAMS = ("blood", "xray")
ROWS_OF_A_PATIENT = 12  # in the five tables
_AT_ONCE = 5000  # patients
_FURTHER = 1000  # number of the first patient who is added later

# Where patients stand: the journey's state, and the states of their two queue rows.
STANDINGS = (
    ("UNREGISTERED", None, None),
    ("WAITING", "waiting", None),
    ("CALLED", "completed", "called"),
    ("ONGOING", "ongoing", "waiting"),
    ("COMPLETED", "completed", None),
    ("PAYMENT", "completed", "cancelled"),
)
OF_BOOKING = {"waiting": "waiting", "called": "waiting", "ongoing": "ongoing", "completed": "completed"}


def run(command: str, url: str, *words: object) -> Any:
    """Runs a command of this program. Returns what it says."""
    words = (sys.executable, "-m", __name__, command, url, *words)
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or "null")


def main(command: str, url: str, *words: str) -> None:
    """Sets Django up for a database, and runs a command."""
    import django
    from django.conf import settings

    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "tests.sync.central.legacy.old_app"],
        DATABASES={"default": _database(url)},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()
    {"make": make, "fill": fill, "spoil": spoil, "read": read, "work": work}[command](*map(int, words))


def make(patients: int) -> None:
    """Makes the tables, and fills them."""
    from django.core.management import call_command

    from tests.sync.central.legacy.old_app import models

    call_command("migrate", run_syncdb=True, verbosity=0)
    models.Exam.objects.bulk_create(models.Exam(exam_id=each, title=each) for each in EXAMS)
    _fill(1, patients)


def fill(patients: int) -> None:
    """Adds patients after those that are there."""
    _fill(_FURTHER, patients)


def _fill(start: int, patients: int) -> None:
    from django.contrib.auth.models import User

    from tests.sync.central.legacy.old_app import models

    for first in range(start, start + patients, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, start + patients))
        User.objects.bulk_create(User(id=n, username=f"P{n:06d}", password="!") for n in numbers)
        rows = [row for n in numbers for row in _rows(models, n)]
        for model in (models.Appointment, models.PatientState, models.Queue):
            model.objects.bulk_create((row for row in rows if isinstance(row, model)), batch_size=1000)
        for model in (models.StateTransition, models.QueueStatusLog):
            model.objects.bulk_create((row for row in rows if isinstance(row, model)), batch_size=1000)
    _settle_numbers(User, models.Queue)


def _settle_numbers(*made: Any) -> None:
    """Has the database go on above the ids that were given."""
    from django.core.management.color import no_style
    from django.db import connection

    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), made):
            cursor.execute(sql)


def _rows(models: Any, number: int) -> Iterator[Any]:
    """The rows of a patient: today's, and a past visit."""
    chance = random.Random(number)
    state, *queue_states = STANDINGS[number % len(STANDINGS)]
    today, before = NOW - timedelta(minutes=chance.randrange(1, 90)), NOW - timedelta(days=chance.randrange(2, 900))
    yield models.PatientState(user_id=number, current_state=state, is_logged_in=chance.random() < 0.5, updated_at=today)
    standing = [(exam, each) for exam, each in zip(EXAMS, queue_states, strict=True) if each]
    standing = [("blood", "completed"), *standing] if len(standing) < 2 else standing
    for place, (exam, each) in enumerate(standing[:2]):
        at = before if len(queue_states) - queue_states.count(None) < 2 and place == 0 else today
        ids = f"A{number}-{place}", number * 2 + place
        status = OF_BOOKING.get(each, "cancelled")
        yield models.Appointment(appointment_id=ids[0], user_id=number, exam_id=exam, scheduled_at=at, status=status)
        yield models.Queue(
            queue_id=ids[1],
            user_id=number,
            exam_id=exam,
            appointment_id=ids[0],
            state=each,
            queue_number=f"{number}-{place}",
            priority=chance.random(),
            created_at=at,
        )
        for log in (("waiting", "called"), ("called", "ongoing"))[: 1 + place]:
            yield models.QueueStatusLog(
                queue_id=ids[1],
                previous_state=log[0],
                new_state=log[1],
                reason="접수",
                changed_by="nurse",
                created_at=at,
            )
    for moved in (
        ("UNREGISTERED", "ARRIVED"),
        ("ARRIVED", "REGISTERED"),
        ("REGISTERED", "WAITING"),
        ("CALLED", "ONGOING"),
    ):
        yield models.StateTransition(
            user_id=number,
            from_state=moved[0],
            to_state=moved[1],
            trigger_type="nfc_scan",
            trigger_source="kiosk-1",
            metadata='{"tag": 1}',
            created_at=today,
        )


def spoil() -> None:
    """Adds rows with every fault that rows of such a system have. The database has 60 patients or more."""
    from django.contrib.auth.models import User

    from tests.sync.central.legacy.old_app import models

    names = range(900001, 900031)
    User.objects.bulk_create(User(id=n, username=f"S{n}", password="!") for n in names)
    user, later = iter(names), NOW + timedelta(days=400)
    old = NOW - timedelta(days=3)

    def standing(state: str | None, *queued: dict[str, Any], **more: Any) -> int:
        number = next(user)
        models.PatientState.objects.create(**{"user_id": number, "current_state": state, "updated_at": NOW, **more})
        for row in queued:
            models.Queue.objects.create(**{"user_id": number, "exam_id": "blood", "created_at": NOW, **row})
        return number

    for orphan in ("WAITING", "CALLED", "ONGOING", "COMPLETED"):
        standing(orphan)
    standing("WAITING", {"state": "completed", "queue_number": "a"})
    standing("WAITING", {"state": "called", "queue_number": "b"})  # the journey follows
    standing("waiting ", {"state": " WAITING", "queue_number": "c"})  # spelled otherwise
    standing("CALLED", *({"state": state, "queue_number": f"d{n}"} for n, state in enumerate(("waiting", "called"))))
    standing("WAITING", {"state": "waiting", "queue_number": "e", "created_at": old})  # of a day that has ended
    standing("REGISTERED", {"state": "waiting", "queue_number": "f", "created_at": old})
    standing("SLEEPING", {"state": "waiting", "queue_number": "g"})
    standing(None, {"state": None, "queue_number": "h"})
    standing("WAITING", {"state": "waiting", "queue_number": "twice"}, updated_at=later)
    standing("WAITING", {"state": "waiting", "queue_number": "twice", "created_at": later})
    standing("WAITING", {"state": "waiting", "queue_number": None, "created_at": None})
    twice = standing("UNREGISTERED", {"state": "dozing", "queue_number": "i"})
    models.PatientState.objects.create(user_id=twice, current_state="WAITING")
    models.PatientState.objects.create(user_id=None, current_state="WAITING")
    models.PatientState.objects.create(user_id=999_999, current_state="WAITING")
    without = next(user)
    models.Queue.objects.create(user_id=without, exam_id="blood", state="waiting", queue_number="j", created_at=NOW)
    for row in ({"user_id": None}, {"exam_id": None}, {"exam_id": "tarot"}, {"appointment_id": "nowhere"}):
        made = {
            "user_id": without,
            "exam_id": "xray",
            "state": "completed",
            "created_at": old,
            "queue_number": "1" * 20,
        }
        models.Queue.objects.create(**{**made, **row})
    for n, row in enumerate(
        (
            {"status": "dreaming"},
            {"status": "confirmed", "scheduled_at": later},
            {"scheduled_at": None},
            {"exam_id": "tarot"},
            {"user_id": 999_999},
            {"status": "booked", "scheduled_at": old},
            {"status": "waiting"},
        )
    ):
        booked = {"user_id": without, "exam_id": "xray", "status": "booked", "scheduled_at": NOW}
        models.Appointment.objects.create(**{"appointment_id": f"S{n}", **booked, **row})
    history = {
        "user_id": 1,
        "from_state": "ARRIVED",
        "to_state": "REGISTERED",
        "trigger_type": "api",
        "created_at": NOW,
    }
    for row in (
        {"from_state": "FINISHED", "to_state": "CALLED"},
        {"from_state": None, "to_state": "NIRVANA"},
        {"created_at": later},
        {"created_at": None},
        {"metadata": "{no json"},
        {"metadata": json.dumps({"long": "x" * 100_000})},
        {"user_id": 999_999},
    ):
        models.StateTransition.objects.create(**{**history, **row})
    models.QueueStatusLog.objects.create(queue_id=999_999_999, previous_state="waiting", new_state="called", reason="x")
    models.QueueStatusLog.objects.create(queue_id=2, previous_state=None, new_state="levitating", created_at=NOW)


def read() -> None:
    """Prints, by Django's own means, the states of all patients by name."""
    from tests.sync.central.legacy.old_app import models

    states = models.PatientState.objects.filter(user_id__isnull=False).order_by("id")
    found = {
        "states": [[each.user.username, each.current_state] for each in states.select_related("user") if each.user],
        "queue": [
            [each.user_id, each.exam_id, each.state, each.queue_number]
            for each in models.Queue.objects.order_by("queue_id")
        ],
        "transitions": models.StateTransition.objects.count(),
        "logs": models.QueueStatusLog.objects.count(),
    }
    print(json.dumps(found))


def work() -> None:
    """Goes on as the old system does: a new patient waits."""
    from django.contrib.auth.models import User

    from tests.sync.central.legacy.old_app import models

    user = User.objects.create_user("next-day")
    models.PatientState.objects.create(user=user, current_state="WAITING")
    queued = models.Queue.objects.create(user=user, exam_id="blood", state="waiting")
    models.QueueStatusLog.objects.create(queue=queued, previous_state="", new_state="waiting")
    models.StateTransition.objects.create(user=user, from_state="REGISTERED", to_state="WAITING")


def _database(url: str) -> dict[str, Any]:
    """A URL as Django's setting."""
    if url.startswith("sqlite:///"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": unquote(url.removeprefix("sqlite:///"))}
    parts = urlsplit(url)
    host = parse_qs(parts.query)["host"][0]
    return {"ENGINE": "django.db.backends.postgresql", "NAME": parts.path[1:], "USER": parts.username, "HOST": host}


if __name__ == "__main__":
    main(*sys.argv[1:])
