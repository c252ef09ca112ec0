"""Serves the old system with the middleware of docs/django, in a process of its own, until it is killed:

python -m tests.old_system.serving DIRECTORY URL_OF_THE_CENTRE PATIENT…

Prints its port. The directory keeps the database, the token of the centre and the spool.
"""

from __future__ import annotations

import json
import socketserver
import sys
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

MIDDLEWARE = Path(__file__).parents[2] / "docs/django"
MOVES = {
    "scan_nfc": ("UNREGISTERED", "ARRIVED"),
    "register": ("ARRIVED", "REGISTERED"),
    "confirm_arrival": ("REGISTERED", "WAITING"),
    "call_patient": ("WAITING", "CALLED"),
    "enter_exam_room": ("CALLED", "ONGOING"),
}


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """A thread for each request."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Logs no request."""

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def configure(directory: Path, centre: str) -> None:
    """Sets Django up."""
    import django
    from django.conf import settings
    from django.urls import path

    sys.path.insert(0, str(MIDDLEWARE))
    settings.configure(
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "tests.old_system.app"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": directory / "old.db",
                "ATOMIC_REQUESTS": True,
                "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        MIDDLEWARE=["shadow_middleware.ShadowMiddleware"],
        ROOT_URLCONF=(path("patient-journey/perform-action/", perform_action),),
        USE_TZ=True,
        TIME_ZONE="Asia/Seoul",
        KIOSK_SHADOW={
            "URL": centre,
            "TOKEN_FILE": directory / "token",
            "SPOOL": directory / "spool" / "words.db",
        },
    )
    django.setup()


def fill(patients: list[str]) -> None:
    """Makes the tables and these patients, where they are not there."""
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from tests.old_system.app.models import PatientState

    call_command("migrate", run_syncdb=True, verbosity=0)
    for patient_id in patients:
        user, _ = User.objects.get_or_create(username=patient_id)
        PatientState.objects.get_or_create(user=user, defaults={"current_state": "UNREGISTERED"})


def perform_action(request: Any) -> Any:
    """Does an action by the rules of the old system."""
    from django.contrib.auth.models import User
    from django.http import JsonResponse

    from tests.old_system.app.models import PatientState, Queue, StateTransition

    body = json.loads(request.body)
    user = User.objects.get(username=body["payload"]["patient_id"])
    standing = PatientState.objects.get(user=user)
    before, after = MOVES[body["action_type"]]
    if standing.current_state != before:
        return JsonResponse({"error": "not now"}, status=400)
    PatientState.objects.filter(user=user).update(current_state=after)
    StateTransition.objects.create(user=user, from_state=before, to_state=after)
    if body["action_type"] == "confirm_arrival":
        Queue.objects.create(user=user, exam_id="blood", state="waiting", queue_number=f"A{user.pk}")
    else:
        Queue.objects.filter(user=user).update(state=after.lower())
    if body["payload"].get("fails"):
        raise RuntimeError("after the change, before its commit")
    return JsonResponse({"state": after})


def main(directory: str, centre: str, *patients: str) -> None:
    """Serves on a free port."""
    configure(Path(directory), centre)
    fill(list(patients))
    from django.core.wsgi import get_wsgi_application

    with make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
