"""The words of the hospital's other system over REST, while that system decides some actions."""

from flask import Blueprint

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.answers import Answer
from sync.central.services.bodies import Body
from sync.central.services.requests import ActionRequest
from sync.central.services.take_word import WordTaken, take_word
from sync.central.services.word_bodies import WordTold, read_word
from sync.central.web.endpoints import Endpoints, requester_of
from sync.journey.model import RefusalCode, Role

_OF_A_WORD = ("invalid_action_id", "action_id_reused", "unknown_patient", "unknown_state", "decided_here")
_BY_THE_RULES = (RefusalCode.UNKNOWN_ACTION, RefusalCode.NO_SUCH_ENTRY, RefusalCode.ENTRY_NOT_NAMED)


def shadow_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The route /api/v1/shadow/, which the token of an integration opens."""
    api = Blueprint("shadow", __name__, url_prefix="/api/v1")

    @api.post("/shadow/")
    @endpoints.endpoint(
        "Tell what the hospital's other system did",
        WordTaken,
        Role.INTEGRATION,
        body=Body(WordTold, read_word),
        refuses=(*_OF_A_WORD, *(code.value for code in _BY_THE_RULES)),
    )
    def take(sender: Bearer, word: ActionRequest) -> Answer:
        return take_word(centre, requester_of(sender, "legacy"), word)

    return api
