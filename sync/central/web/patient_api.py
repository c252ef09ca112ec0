"""The public interface for front ends (REST): definitions, current state, perform action."""

from collections.abc import Callable, Mapping

import msgspec
from flask import Blueprint, Response, request

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.action_counts import UNKNOWN, count_outcome
from sync.central.services.answers import Answer, refuse
from sync.central.services.authentication import actor_of, expected, subject_of
from sync.central.services.bodies import PerformAction
from sync.central.services.current_state import CurrentState, read_current_state
from sync.central.services.door import Outgoing, publish
from sync.central.services.errors import MISSING_PATIENT_ID, ApiError
from sync.central.services.once import BearerChanged
from sync.central.services.perform_action import perform
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest, read_action_request
from sync.central.services.told import AboutNobody, Told
from sync.central.web.contract import BY_THE_RULES, OF_AN_ACTION, Contract
from sync.central.web.endpoints import Endpoints, requester_of
from sync.central.web.http import Cached, read_json, respond_cached
from sync.central.web.senders import header_token
from sync.journey.definitions import Definitions
from sync.journey.model import Role

_PEOPLE = (Role.PATIENT, Role.VISIT, Role.STAFF)


class Mappings(msgspec.Struct, frozen=True):
    """Which journey state belongs to a state of the current queue entry, and the other way round."""

    queue_to_journey: dict[str, str]
    journey_to_queue: dict[str, str]


class StateDefinitions(msgspec.Struct, frozen=True):
    """The states and actions of the site, in their order, and {state: {action: next state}}.

    `priorities` are the kinds for which staff let a patient go first, and whether they have to say why.
    """

    definitions_version: int
    journey_states: tuple[str, ...]
    queue_states: tuple[str, ...]
    patient_actions: tuple[str, ...]
    staff_actions: tuple[str, ...]
    state_transitions: Mapping[str, Mapping[str, str]]
    mappings: Mappings
    priorities: Mapping[str, bool]


class WhosePatient(msgspec.Struct, frozen=True):
    """The patient whom a member of staff asks for. A patient's token names its own."""

    patient_id: str | None = None


_CURRENT_STATE = Contract(
    "Read where a patient stands",
    CurrentState,
    _PEOPLE,
    query=WhosePatient,
    refuses=("missing_patient_id", "unknown_patient"),
    of_pages=True,
)
_PERFORM_ACTION = Contract(
    "Do an action",
    CurrentState,
    _PEOPLE,
    body=PerformAction,
    refuses=(
        *("missing_action_type", "unknown_patient", "card_of_another", "card_blocked", "decided_elsewhere"),
        "entry_changed",
        *OF_AN_ACTION,
        *BY_THE_RULES,
    ),
    of_pages=True,
)


def patient_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/ that patients' apps and staff front ends use."""
    api = Blueprint("patient", __name__, url_prefix="/api/v1")
    document = Cached(definitions_document(centre.definitions))

    @api.get("/state-definitions/")
    @endpoints.documented(Contract("Read the states, actions and transitions", StateDefinitions, is_cached=True))
    def state_definitions() -> Response:
        return respond_cached(document)

    def current_state(sender: Bearer) -> Told | ApiError:
        subject = subject_of(centre, sender, request.args.get("patient_id"))
        if not isinstance(subject, str):
            return subject or MISSING_PATIENT_ID
        return read_current_state(centre, actor_of(sender), subject)

    def read_wanted() -> ActionRequest | ApiError:
        document = read_json()
        return document if isinstance(document, ApiError) else read_action_request(document, centre.keys, centre.ids)

    def perform_confirmed(read: Callable[[], ActionRequest | ApiError]) -> Response:
        def view(sender: Bearer) -> Answer:
            return perform_for(centre, sender, requester_of(sender), read(), sender.patient_id)

        return endpoints.guarded(view, _PEOPLE)()

    def perform_action() -> Response:
        sender = expected(centre, header_token(), _PEOPLE)
        if sender is None:
            return perform_confirmed(read_wanted)
        wanted, requester = read_wanted(), requester_of(sender, is_expected=True)
        answer = perform_expected(centre, sender, requester, wanted)
        return perform_confirmed(lambda: wanted) if answer is None else endpoints.answer(requester, answer)

    _add(api, endpoints, "current-state", "GET", _CURRENT_STATE, endpoints.guarded(current_state, _PEOPLE))
    _add(api, endpoints, "perform-action", "POST", _PERFORM_ACTION, perform_action)
    return api


def perform_expected(
    centre: Centre, sender: Bearer, requester: Requester, wanted: ActionRequest | ApiError
) -> Answer | None:
    """The answer to an action of a sender whom the action itself confirms, as `expected()` names them.

    None where the sender has to be confirmed first. Nothing is done then, and nobody is told anything.
    """
    if isinstance(wanted, ApiError):
        return None
    subject = wanted.named("patient_id") or sender.patient_id
    if sender.role is not Role.STAFF and subject != sender.patient_id:
        return None
    try:
        return perform(centre, requester, subject, wanted)
    except BearerChanged:
        centre.bearers.forget(sender.token_hash)
        return None


def perform_for(
    centre: Centre, sender: Bearer, requester: Requester, wanted: ActionRequest | ApiError, default: str | None
) -> Answer:
    """The answer to a request to act, over any channel.

    A request that names no patient is for `default`. A refusal before the action holds the state of `default`.
    """
    if isinstance(wanted, ApiError):
        return _refuse(centre, requester, default, wanted)
    subject = subject_of(centre, sender, wanted.named("patient_id") or default)
    if isinstance(subject, ApiError):
        return _refuse(centre, requester, default, subject)
    return perform(centre, requester, subject, wanted)


def _refuse(centre: Centre, requester: Requester, subject: str | None, error: ApiError) -> Answer:
    """The answer to a request that is no action. It is counted as one that has failed."""
    count_outcome(centre, requester, UNKNOWN, error.code)
    return refuse(centre, requester.actor, subject, error)


def definitions_document(definitions: Definitions) -> Outgoing:
    """The definitions as the public interface shows them, as JSON."""
    shown = StateDefinitions(
        definitions.version,
        definitions.journey_states,
        definitions.queue_states,
        definitions.actions_by("patient"),
        definitions.actions_by("staff"),
        definitions.state_transitions(),
        Mappings(dict(definitions.queue_to_journey), dict(definitions.journey_to_queue)),
        {kind: priority.needs_reason for kind, priority in definitions.priorities.items()},
    )
    return publish(AboutNobody(shown))


def _add(
    api: Blueprint, endpoints: Endpoints, name: str, method: str, contract: Contract, view: Callable[..., Response]
) -> None:
    """Adds a view under its name, and under the older name with an underscore."""
    older = name.replace("-", "_")
    endpoints.contracts.add(view, contract)
    for spelling in (name, older):
        api.add_url_rule(f"/patient-journey/{spelling}/", spelling, view, methods=[method])
