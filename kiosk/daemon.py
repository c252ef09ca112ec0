"""The daemon connects all parts: readers → reception → store → agent, and the page in front of the reception.

`start()` starts the parts in order, `stop()` stops them in reverse. An exception that ends a thread ends the daemon,
and systemd starts it again. Nothing that was acknowledged is in memory alone.
"""

import dataclasses
import logging
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from hardware.card import Technology, UnknownForm
from hardware.form import AdmittedForm
from hardware.reader import OUT_OF_ORDER, Event, FieldClear, ReaderSpec, ReaderStatus, RefusedTap, Tap
from hardware.supervisor import Readers
from kiosk.addresses import ConfigError
from kiosk.appliance.disk import disk_faults
from kiosk.appliance.status import outbox_rows, status
from kiosk.appliance.unknown_forms import UnknownForms
from kiosk.config import Config
from kiosk.enrolment import FAILURES, PendingEnrolment, describe_failure
from kiosk.front.demo_cards import read_demo_cards
from kiosk.front.reception import Reception
from kiosk.front.screen import Lookup, Screen
from kiosk.front.visitor import LOOKUP_S
from kiosk.journey.journeys import Journeys
from kiosk.journey.ledger import Ledger
from kiosk.journey.this_kiosk import ThisKiosk
from kiosk.metrics.kiosk_metrics import KioskMetrics
from kiosk.route import faults_of_route, route_to_centre
from kiosk.store.sqlite import Store, StoreError
from kiosk.tokens import KioskTokens
from kiosk.ui.admission import Admission
from kiosk.ui.app import create_app
from kiosk.ui.server import PageServer
from kiosk.ui.signing_key import load_signing_key
from kiosk.uid import NoUid, parse_uid
from sync.agent.client import CentralClient
from sync.agent.cycle import Agent
from sync.agent.desk_words import DeskWords
from sync.agent.lookup import Lookups
from sync.agent.steps import ENDED
from sync.cards import CardHash, canonical_card
from sync.clock import now_ms
from sync.control import Access, ControlError, ControlServer, Operation, socket_path
from sync.database_watch import DatabaseWatch
from sync.journey.model import PatientId
from sync.protocol import DeskWord, EndCode, Enrolment

log = logging.getLogger(__name__)


class Daemon:
    """One kiosk, from its configuration to its parts."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._parts = ExitStack()
        self._agent: Agent | None = None
        self._lookups: Lookups | None = None
        self._desk_words: DeskWords | None = None
        self._agent_lock = threading.Lock()
        self._enrolling = threading.Lock()
        self._unknown_forms = UnknownForms()
        self._is_erased = False

    def start(self) -> None:
        """Starts all parts.

        Raises StoreError, ConfigError (the cards of a simulated reader, the page's socket) or OSError (a port in use).
        Every part is stopped again then.
        """
        with ExitStack() as parts:
            self._store = Store(self._config.store_path)
            parts.callback(self._store.close)
            self._store.check_in_background()
            watch = DatabaseWatch(self._store.tend, _end_program)
            watch.start()
            parts.callback(watch.stop)
            self._kiosk = ThisKiosk(self._store)
            self._ledger = Ledger(self._kiosk)
            self._enrolment = PendingEnrolment(self._config, self._ledger)
            self._resume_enrolment()
            self._report_lost_database()
            self._erase_ended()  # again, where the power went in the middle
            metrics = KioskMetrics()
            self._counts = metrics.counts
            visit_url = self._config.visit.url
            journeys = Journeys(self._kiosk, self._counts.count_action, shows_visits=bool(visit_url))
            self._reception = Reception(
                journeys,
                self._kiosk.cards.hashes,
                self._automatic,
                self._nudge,
                self._look_up,
                visit_url=visit_url,
                say=self._say_to_desk,
                is_desk=self._config.kiosk.mode == "desk",
            )
            self._reception.start()
            parts.callback(self._reception.stop)
            self._start_readers(parts)
            self._start_agent()
            parts.callback(self._stop_agent)
            operations = self._operations()
            control = ControlServer(socket_path(self._config.store_path), lambda _: operations)
            control.start()
            parts.callback(control.stop)
            parts.callback(metrics.stop)
            metrics.serve(self._config.metrics, self._store, self._status, lambda: self._kiosk.identity)
            page = self._start_page(parts)
            self._parts = parts.pop_all()
        self._report_undefined_actions()
        for fault in faults_of_route(self._config.central):
            log.warning("%s", fault)
        log.info("ready: the page is on %s", page.url)

    def stop(self) -> None:
        """Stops all parts, in reverse. May be called twice."""
        self._parts.close()

    # The page.

    def _start_page(self, parts: ExitStack) -> PageServer:
        """Starts the page last, so that every other part runs once /healthz answers."""
        admission = Admission(load_signing_key(self._config.page_key_path))
        app = create_app(self._reception, self._config.display, admission, when_shown=self._counts.show)
        page = PageServer(app, admission, *self._config.listen)
        parts.callback(page.stop)
        path = self._config.page_socket_path
        operations: dict[str, Operation] = {"page-url": lambda _: admission.one_time_url(page.url)}
        asked = ControlServer(path, lambda _: operations, _FOR_THE_GROUP)
        try:
            asked.start()
        except OSError as error:
            raise ConfigError(f"[web] page_socket: no socket can be made at {path}: {error.strerror}") from error
        parts.callback(asked.stop)
        page.start()
        return page

    # Readers.

    def _start_readers(self, parts: ExitStack) -> None:
        admitted = tuple(AdmittedForm(form.pattern, Technology(form.technology)) for form in self._config.card_form)
        specs = [
            ReaderSpec(section.kind, section.name, section.path, admitted=admitted) for section in self._config.reader
        ]
        self._readers = Readers(specs, self._on_event, self._on_reader_status)
        for section in self._config.reader:
            if section.kind == "simulated":
                self._reception.attach_simulated(read_demo_cards(section), self._present_from_page)
        parts.callback(self._readers.stop)
        self._readers.start()

    def _on_event(self, event: Event) -> Screen | None:
        match event:
            case Tap():
                begun_s = self._counts.begin_tap(event.at_mono_ns)
                screen = self._reception.tap(canonical_card(event.technology, event.uid), event.reader)
                self._counts.end_tap(begun_s, screen.frame, screen.screen)
                return screen
            case RefusedTap():
                self._counts.count_refused_card(event.reason)
                if event.form:
                    self._note_unknown_form(event.form)
                return self._reception.refuse_card(event.reason, event.reader)
            case FieldClear():
                self._reception.clear_field(event.reader)
                return None

    def _note_unknown_form(self, form: UnknownForm) -> None:
        technology = form.technology or ""
        if self._unknown_forms.note(form.atr, technology, form.id_bytes, now_ms()):
            log.warning(
                "a card of unknown form was refused: %s, %s, id of %d bytes; [[card_form]] can admit it",
                form.atr,
                technology or "technology not known",
                form.id_bytes,
            )

    def _on_reader_status(self, readers: tuple[ReaderStatus, ...]) -> None:
        self._reception.set_readers_ready(any(reader.state not in OUT_OF_ORDER for reader in readers))

    def _present_from_page(self, uid: str) -> str | None:
        try:
            self._present({"uid": uid})
        except ControlError as error:
            return str(error)
        return None

    # The centre.

    def _start_agent(self) -> None:
        identity = self._kiosk.identity
        if identity is None or identity.ended_ms is not None or not self._config.central.url:
            return
        with self._agent_lock:
            self._tokens = KioskTokens(self._enrolment)
            hear_desk = self._reception.await_desk_card
            self._agent = Agent(self._ledger, self._connect, self._on_sync, tokens=self._tokens, hear_desk=hear_desk)
            self._agent.start()
            self._lookups = Lookups(self._ledger, self._connect_quickly, self._on_lookup)
            self._lookups.start()
            is_reader, announce = self._config.kiosk.mode == "desk", self._reception.take_desk_answer
            self._desk_words = DeskWords(self._ledger, self._connect_quickly, announce, is_reader=is_reader)
            self._desk_words.start()
        self._counts.channel.turn(is_wanted=True, is_connected=False)

    def _stop_agent(self) -> None:
        with self._agent_lock:
            agent, self._agent = self._agent, None
            lookups, self._lookups = self._lookups, None
            desk_words, self._desk_words = self._desk_words, None
        if desk_words:
            desk_words.stop()
        if lookups:
            lookups.stop()
        if agent:
            agent.stop()
        self._counts.channel.turn(is_wanted=False, is_connected=False)

    def _connect(self) -> CentralClient:
        token = self._tokens.present()
        self._kiosk.cards.refresh()  # an enrolment brings keys and token together
        return CentralClient(self._config.central.url, token, route=route_to_centre(self._config.central))

    def _connect_quickly(self) -> CentralClient:
        central = self._config.central
        return CentralClient(central.url, self._tokens.present(), LOOKUP_S, route_to_centre(central))

    def _look_up(self, cards: tuple[CardHash, ...]) -> bool:
        lookups = self._lookups
        if lookups:
            lookups.ask(cards)
        return lookups is not None

    def _say_to_desk(self, word: DeskWord, ask_id: str, card: CardHash | None, short_uid: bool, reason: str) -> bool:
        desk_words = self._desk_words
        return desk_words is not None and desk_words.say(word, ask_id, card, short_uid, reason)

    def _on_lookup(self, cards: tuple[CardHash, ...], answered: bool) -> None:
        self._reception.take_lookup(cards, Lookup.UNKNOWN if answered else Lookup.UNAVAILABLE)

    def _on_sync(self, patient_ids: frozenset[PatientId]) -> None:
        agent = self._agent
        is_online = agent.online if agent else False
        self._counts.channel.turn(
            is_wanted=agent is not None and agent.refusal is not EndCode.ENDED, is_connected=is_online
        )
        self._reception.update(patient_ids, is_online)
        if agent and agent.refusal is EndCode.ENDED and not self._is_erased:
            self._erase_ended()
            self._kiosk.cards.refresh()

    def _nudge(self) -> None:
        if agent := self._agent:
            agent.push_soon()

    def _automatic(self) -> tuple[str, ...]:
        identity = self._kiosk.identity
        grants = identity.actions if identity else frozenset()
        return self._config.flow.automatic(grants, self._kiosk.definitions.tap)

    def _report_undefined_actions(self) -> None:
        """Logs configured actions that the centre's definitions lack, such as mistyped ones."""
        definitions = self._kiosk.definitions
        configured = {*self._config.kiosk.actions, *self._automatic()}
        for name in sorted(configured - definitions.actions.keys() - definitions.kiosks.keys()):
            log.warning("the configuration names an action that is not defined: %s", name)

    def _report_lost_database(self) -> None:
        """Logs that an enrolled kiosk has lost its database while it was off: its actions are gone with it."""
        if self._kiosk.identity is None and self._config.token_path.exists():
            log.critical(
                "%s has no identity, and the token of one is there: was the database deleted? Put it back, or use"
                " kiosk enroll",
                self._config.store_path,
            )

    def _resume_enrolment(self) -> None:
        """Completes an enrolment that a crash or a full disk has interrupted."""
        try:
            self._enrolment.resume()
        except FAILURES as error:
            # Without the traceback: its messages could quote the answer of the centre.
            log.error("%s", describe_failure(error, can_resume=True))  # noqa: TRY400

    def _erase_ended(self) -> None:
        """Erases what a kiosk that the centre has ended must not keep. The next step of the agent tries it again."""
        try:
            self._is_erased = self._enrolment.erase_ended()
        except (OSError, sqlite3.Error) as error:
            log.error("the data of this kiosk, which has ended, could not be erased: %s", error)  # noqa: TRY400
        if self._is_erased:
            log.warning("the centre has ended this kiosk: its patients, token and card keys are erased")

    # The control socket.

    def _operations(self) -> dict[str, Operation]:
        return {
            "tap": self._present,
            "status": lambda _: self._status(),
            "outbox": lambda _: self._outbox(),
            "kept": lambda _: self._kept(),
            "set-aside": self._set_aside,
            "enrol": self._enrol,
        }

    def _present(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            technology, uid = parse_uid(request.get("uid"))
        except NoUid as error:
            raise ControlError(str(error)) from error
        # A hand takes one card away before it holds the next one.
        self._reception.await_clear_fields(_CLEAR_S)
        presented = self._readers.present(uid, Technology(technology))
        if not isinstance(presented.outcome, Screen):
            raise ControlError(presented.detail or _NO_NEW_TAP)
        screen = self._reception.await_settled(_SETTLED_S)
        return {
            "screen": screen.screen,
            "reason": screen.reason,
            "lookup": screen.lookup,
            "journey_state": screen.journey.journey_state if screen.journey else None,
        }

    def _status(self) -> dict[str, Any]:
        agent = self._agent
        # Before the store is locked: the reception holds its own lock while it waits for the store.
        faults, fields, readers = self._reception.faults(), self._reception.fields(), self._readers.status()
        disk = disk_faults(self._store)
        with self._store.read() as db:
            return status(
                db,
                running=True,
                online=agent.online if agent else False,
                reason=agent.reason if agent else self._reason_without_agent(),
                refusal=agent.refusal if agent else None,
                readers=readers,
                fields=fields,
                unknown_forms=self._unknown_forms.seen(),
                faults=(
                    *disk,
                    *faults,
                    *self._lookup_faults(agent),
                    *_renewal_faults(agent),
                    *faults_of_route(self._config.central),
                ),
            )

    def _lookup_faults(self, agent: Agent | None) -> tuple[str, ...]:
        """The fault of look-ups that fail while the centre answers other calls."""
        lookups = self._lookups
        if lookups is None or agent is None or not agent.online or not lookups.reason:
            return ()
        return (f"the last card was not looked up: {lookups.reason}",)

    def _reason_without_agent(self) -> str:
        identity = self._kiosk.identity
        return ENDED if identity and identity.ended_ms is not None else ""

    def _outbox(self) -> list[dict[str, Any]]:
        with self._store.read() as db:
            return outbox_rows(db)

    def _kept(self) -> dict[str, Any] | None:
        try:
            kept = self._ledger.kept()
        except StoreError as error:
            raise ControlError(str(error)) from error
        return dataclasses.asdict(kept) if kept else None

    def _set_aside(self, request: Mapping[str, Any]) -> bool:
        file = request.get("file")
        if not isinstance(file, str):
            raise ControlError("no file is named")
        try:
            return self._ledger.set_aside(Path(file), [str(each) for each in request.get("actions") or ()])
        except (OSError, ValueError, StoreError) as error:
            raise ControlError(str(error)) from error

    def _enrol(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            enrolment = msgspec.convert(request.get("enrolment"), Enrolment)
        except msgspec.ValidationError as error:
            raise ControlError(f"no enrolment: {error}") from error
        aside = Path(str(request["set_aside"])) if request.get("set_aside") else None
        with self._enrolling:
            self._stop_agent()
            try:
                file = self._enrolment.complete(enrolment, aside)
            except FAILURES as error:
                can_resume = self._enrolment.is_pending(enrolment)
                raise ControlError(describe_failure(error, can_resume=can_resume)) from error
            finally:
                # After a failure the kiosk keeps its former identity, with an outbox to push.
                self._is_erased = False
                self._kiosk.cards.refresh()
                self._reception.reset()
                self._start_agent()
        return {"kiosk_id": enrolment.kiosk_id, "set_aside": str(file) if file else None}


# A browser's user asks for one URL at a time.
_FOR_THE_GROUP = Access(mode=0o660, clients=4, max_line=1024, request_s=5.0)
_CLEAR_S = 2.0  # the time for a card that has left to count as away; a card that lies on a reader stays longer
_SETTLED_S = 5.0
_NO_NEW_TAP = "no new tap: the same card came back too soon"


def _renewal_faults(agent: Agent | None) -> tuple[str, ...]:
    fault = agent.renewal_fault if agent else ""
    return (f"the token was not renewed: {fault}",) if fault else ()


def _end_program() -> None:
    """Ends the daemon: the thread that calls this fails, and the next start opens what was saved."""
    raise StoreError("the database has to be opened again")
