"""Tells the centre of the kiosks what this system does: one word after each action, in the background.

A file for the old system, Django 3.2 or newer, without further packages. docs/shadow.md of nfc-kiosk has the setting
up. The classes `Names` and `OldSystem` are what a hospital adapts to its own paths and models.

    MIDDLEWARE = [..., "hospital.shadow_middleware.ShadowMiddleware"]     # the last one
    KIOSK_SHADOW = {
        "URL": "https://checkin.hospital.example",
        "TOKEN_FILE": "/etc/hospital/kiosk-token",      # of kiosk-central token --role integration
        "SPOOL": "/var/lib/hospital/kiosk-shadow.db",   # on a local disk; keeps what the centre does not have yet
    }

A request waits for two short queries and one row in the spool. It never waits for the centre, and nothing that goes
wrong here fails it. The processes of one machine share a spool, and one of them sends.
"""

import fcntl
import http.client
import json
import logging
import os
import random
import re
import sqlite3
import ssl
import threading
import time
import urllib.error
import urllib.request
import uuid
from contextlib import closing, contextmanager

from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.utils import timezone

log = logging.getLogger(__name__)

TIMEOUT_S = 10
IDLE_S = 1.0
LONGEST_WAIT_S = 60.0
_ANSWERS = {400, 404, 409}  # of the centre to a word that it will not take; whatever else there is may pass
_NO_ANSWERS = {"", "not_found", "https_only"}  # a proxy's page, an older centre, a wrong URL


class Names:
    """The actions of this system, by its requests."""

    path = re.compile(r"/patient-journey/perform[-_]action/?$")

    def is_action(self, request):
        """Whether a request asks for an action."""
        return request.method == "POST" and self.path.search(request.path) is not None

    def action_of(self, request, body):
        """The patient's id and the action of a request that was answered; None where it names none."""
        payload = body.get("payload") or {}
        user = getattr(request, "user", None)
        own = user.get_username() if user is not None and user.is_authenticated else None
        patient_id = payload.get("patient_id") or own
        action_type = body.get("action_type")
        return (str(patient_id), str(action_type)) if patient_id and action_type else None


class OldSystem:
    """What stands in the tables of this system."""

    app = "app"

    def standing(self, patient_id, since):
        """The journey's state before and after what was done since then, and the patient's entries of today."""
        of_patient = {"user__username": patient_id}
        state = self._model("PatientState").objects.filter(**of_patient).values_list("current_state", flat=True).first()
        if state is None:
            return None
        moves = self._model("StateTransition").objects.filter(created_at__gte=since, **of_patient).order_by("id")
        before = moves.values_list("from_state", flat=True).first() or state
        today = timezone.localtime(since).replace(hour=0, minute=0, second=0, microsecond=0)
        rows = self._model("Queue").objects.filter(created_at__gte=today, **of_patient).order_by("queue_id")
        columns = ("queue_id", "exam_id", "state", "queue_number")
        entries = [
            {"queue_id": str(queue_id), "exam_id": exam_id, "state": each, "queue_number": str(number or "")}
            for queue_id, exam_id, each, number in rows.values_list(*columns)
        ]
        return before, state, entries

    def _model(self, name):
        return apps.get_model(self.app, name)


class ShadowMiddleware:
    """Tells the centre of each action of a request, after its commit."""

    names = Names()
    old_system = OldSystem()

    def __init__(self, get_response):
        self._get_response = get_response
        self._spool = Spool(settings.KIOSK_SHADOW["SPOOL"])
        self._sender = Sender(self._spool, settings.KIOSK_SHADOW)
        self._sender.start()  # what an earlier process has left

    def __call__(self, request):
        """Answers the request as without this middleware."""
        if not self.names.is_action(request):
            return self._get_response(request)
        body, since = _document(request), timezone.now()
        response = self._get_response(request)
        with _nothing_fails():
            found = self.names.action_of(request, body) if response.status_code < 500 else None
            if found is not None:
                is_refused = response.status_code >= 400
                transaction.on_commit(lambda: self._tell(*found, since, is_refused))
        return response

    def _tell(self, patient_id, action_type, since, is_refused):
        with _nothing_fails():
            standing = self.old_system.standing(patient_id, since)
            if standing is None:
                return
            before, after, entries = standing
            self._spool.add(
                {
                    "word_id": str(uuid.uuid4()),
                    "patient_id": patient_id,
                    "action_type": action_type,
                    "from": before,
                    "to": after,
                    "entries": entries,
                    "at": int(time.time() * 1000),
                    "refused": is_refused,
                }
            )
            self._sender.start()


class Spool:
    """The words that the centre does not have yet, in a file. One that it will not take stays, with its answer."""

    def __init__(self, path):
        self.path = path

    def add(self, word):
        """Adds a word behind the others."""
        with closing(self._open()) as db:
            db.execute("insert into words (word) values (?)", (json.dumps(word),))

    def first(self):
        """The place and the text of the oldest word that has no answer; None without one."""
        with closing(self._open()) as db:
            return db.execute("select place, word from words where answer is null order by place limit 1").fetchone()

    def take(self, place):
        """Removes a word that the centre has."""
        with closing(self._open()) as db:
            db.execute("delete from words where place = ?", (place,))

    def keep(self, place, answer):
        """Keeps a word that the centre will not take, with the answer."""
        with closing(self._open()) as db:
            db.execute("update words set answer = ? where place = ?", (answer, place))

    def _open(self):
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # it names patients
        db = sqlite3.connect(self.path, timeout=TIMEOUT_S, isolation_level=None)
        db.execute("create table if not exists words (place integer primary key, word text, answer text)")
        return db


class Sender:
    """Sends the words of a spool in their order, on a thread of its own in each process that has added one."""

    def __init__(self, spool, configured):
        self._spool = spool
        self._url = configured["URL"].rstrip("/") + "/api/v1/shadow/"
        self._token_file = configured["TOKEN_FILE"]
        self._ca_file = configured.get("CA_FILE")
        self._lock = threading.Lock()
        self._added = threading.Event()
        self._process = None

    def start(self):
        """Has the thread look at once. Starts it where this process has none: a server may have forked since."""
        self._added.set()
        with self._lock:
            if self._process != os.getpid():
                self._process = os.getpid()
                threading.Thread(target=self._run, name="kiosk-shadow", daemon=True).start()

    def _run(self):
        failures = 0
        while True:
            is_sent = None
            with _nothing_fails(), self._turn() as has_turn:
                is_sent = self._send_first() if has_turn else None
            failures = failures + 1 if is_sent is False else 0
            if is_sent:
                continue
            if failures:
                time.sleep(max(IDLE_S, random.uniform(0, min(LONGEST_WAIT_S, 2**failures))))  # noqa: S311 (no secret)
            else:
                self._added.wait(IDLE_S)
                self._added.clear()

    def _send_first(self):
        """Sends the oldest word: True where that is done, False where it has to be tried again, None without one."""
        found = self._spool.first()
        if found is None:
            return None
        place, word = found
        try:
            self._post(word)
        except urllib.error.HTTPError as error:
            code = _code(error.read(4096))
            if error.code not in _ANSWERS or code in _NO_ANSWERS:
                log.warning("the centre does not take words now: HTTP %s", error.code)
                return False
            log.error("the centre refuses a word: %s", code)  # noqa: TRY400 (its text could quote a patient)
            self._spool.keep(place, code)
        except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as error:
            log.warning("no answer of the centre: %s", type(error).__name__)
            return False
        else:
            self._spool.take(place)
        return True

    def _post(self, word):
        with open(self._token_file, encoding="ascii") as file:
            headers = {"Authorization": f"Bearer {file.read().strip()}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url, word.encode(), headers, method="POST")  # noqa: S310 (configured)
        tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self._ca_file))
        with urllib.request.build_opener(tls, _NoRedirect).open(request, timeout=TIMEOUT_S) as response:
            answer = json.loads(response.read(4096))
        if answer["word_id"] != json.loads(word)["word_id"]:
            raise ValueError("something on the way has answered")

    @contextmanager
    def _turn(self):
        """Whether this process sends now: one does at a time, so that words keep their order."""
        with open(f"{self._spool.path}.lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A word is for the centre alone."""

    def redirect_request(self, *_):
        """Follows nothing."""


@contextmanager
def _nothing_fails():
    """Logs what goes wrong, without its text: that could quote a patient."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 (the request of a patient comes first)
        log.error("a word for the centre failed: %s", type(error).__name__)  # noqa: TRY400


def _document(request):
    try:
        found = json.loads(request.body)
    except Exception:  # noqa: BLE001 (the view answers whatever came)
        return {}
    return found if isinstance(found, dict) else {}


def _code(answer):
    try:
        return str(json.loads(answer)["code"])
    except (ValueError, KeyError, TypeError):
        return ""
