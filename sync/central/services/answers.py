"""The answers to requests: the HTTP status and the body, the same over every channel."""

import msgspec
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.journeys import read_journey
from sync.central.records.patients import patient_named
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.errors import ApiError, error_body, error_of
from sync.central.services.told import Told, told_of
from sync.central.store.transactions import ReadTransaction
from sync.journey.definitions import Definitions
from sync.journey.model import Actor, Journey, Refusal
from sync.journey.rules import available_actions


class Answer(msgspec.Struct, frozen=True):
    """The answer to an action: the HTTP status, the body as JSON, and the patients whose data the body holds.

    The body is a CurrentState or another value, or an ErrorBody.
    """

    status: int
    body: bytes
    patients: tuple[str, ...]

    @property
    def done(self) -> bool:
        """Whether the request was granted."""
        return self.status < 400

    @property
    def told(self) -> Told:
        """What the answer tells."""
        return told_of(msgspec.Raw(self.body), AuditKind.LOOK_ACTION, self.patients)


def accepted(value: object, patients: tuple[str, ...]) -> Answer:
    """The answer to a request that was granted. `value` is what msgspec can encode, and holds data of `patients`."""
    return Answer(200, msgspec.json.encode(value), patients)


def refused(error: ApiError) -> Answer:
    """The answer to a request that was not granted. It tells of no patient."""
    return Answer(error.status, msgspec.json.encode(error_body(error)), ())


def refused_by_rules(refusal: Refusal, site: SiteSettings, patients: tuple[str, ...]) -> Answer:
    """The answer to an action that the rules refuse. It tells the state and the available actions of `patients`."""
    here = replace(refusal, available_actions=_decided_here(site, refusal.available_actions))
    return Answer(error_of(refusal).status, msgspec.json.encode(error_body(here)), patients)


def offered(definitions: Definitions, site: SiteSettings, journey: Journey, actor: Actor) -> tuple[str, ...]:
    """The actions that this actor may do here now: those of the rules that no other system decides."""
    return _decided_here(site, available_actions(definitions, journey, actor))


def _decided_here(site: SiteSettings, actions: tuple[str, ...]) -> tuple[str, ...]:
    elsewhere = site.site.decided_elsewhere
    return tuple(each for each in actions if each not in elsewhere) if elsewhere else actions


def refused_at(
    db: ReadTransaction, centre: Centre, today: str, actor: Actor, patient_id: str | None, error: ApiError
) -> Answer:
    """A refusal with the patient's journey state and the actor's available actions, where the patient is known."""
    journey = journey_of(db, centre, today, patient_id) if patient_id is not None else None
    if journey is None:
        return refused(error)
    body = error_body(error, journey.state, offered(centre.definitions, read_site(db), journey, actor))
    return Answer(error.status, msgspec.json.encode(body), (journey.patient_id,))


def refuse(centre: Centre, actor: Actor, patient_id: str | None, error: ApiError) -> Answer:
    """The answer to a request that failed before it became an action, with the patient's state where it is known."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        return refused_at(db, centre, read_site(db).day(now_ms), actor, patient_id, error)


def journey_of(db: ReadTransaction, centre: Centre, today: str, name: str) -> Journey | None:
    """The journey today of the patient that an id or an alias names; None for an unknown name."""
    # Nearly every name is the patient's own id, and then one query is enough.
    found = read_journey(db, centre.definitions, name, today)
    if found is None and (patient_id := patient_named(db, name)) is not None:
        found = read_journey(db, centre.definitions, patient_id, today)
    return found
