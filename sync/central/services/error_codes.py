"""Every code that an error of the interface may have, its HTTP status, and when it is given."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

_BAD, _CONFLICT = HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT


class ErrorCode(msgspec.Struct, frozen=True):
    """The status of a code, and when the centre gives it, as the document of the interface says it."""

    status: HTTPStatus
    when: str


CODES: Mapping[str, ErrorCode] = {
    "missing_action_type": ErrorCode(_BAD, "action_type is missing."),
    "unknown_action": ErrorCode(_BAD, "action_type names no action."),
    "not_allowed": ErrorCode(_BAD, "The action, or the change, is not allowed in this state."),
    "proof_missing": ErrorCode(_BAD, "A kiosk's action lacks the proof that the rules ask for."),
    "no_such_entry": ErrorCode(_BAD, "The request names no queue entry or appointment of this patient today."),
    "entry_not_named": ErrorCode(_BAD, "The current entry does not allow the action, and another one of today does."),
    "invalid_action_id": ErrorCode(_BAD, "action_id is no UUID."),
    "invalid_payload": ErrorCode(_BAD, "A member of payload is not of its form."),
    "malformed": ErrorCode(_BAD, "The request is not of its form, or a text of it or of the URL holds U+0000."),
    "unusable_card": ErrorCode(_BAD, "No kiosk accepts this card, so it is neither bound nor blocked."),
    "missing_patient_id": ErrorCode(_BAD, "A staff token names no patient."),
    "unknown_state": ErrorCode(_BAD, "The request names no queue state, or a word of the other system no state."),
    "unknown_priority": ErrorCode(_BAD, "The definitions have no priority of this kind."),
    "same_patient": ErrorCode(_BAD, "Both records are one patient's already."),
    "unknown_command": ErrorCode(_BAD, "A message of the socket is no command."),
    "https_only": ErrorCode(_BAD, "The request came unencrypted from another machine, beside the centre's proxy."),
    "unauthorized": ErrorCode(HTTPStatus.UNAUTHORIZED, "There is no token, or it is not valid."),
    "visit_ended": ErrorCode(HTTPStatus.UNAUTHORIZED, "The visit of the token is over, or its arrival does not count."),
    "forbidden": ErrorCode(HTTPStatus.FORBIDDEN, "This role may never do that, or the patient is another's."),
    "wrong_password": ErrorCode(HTTPStatus.FORBIDDEN, "The login name or the password is wrong."),
    "account_disabled": ErrorCode(HTTPStatus.FORBIDDEN, "The password is right, and the account is disabled."),
    "weak_password": ErrorCode(_BAD, "A new password is too short, too long, or one that many people have."),
    "login_taken": ErrorCode(_CONFLICT, "Another account has the login name."),
    "code_unknown": ErrorCode(HTTPStatus.FORBIDDEN, "There is no such code, or it is used or too old."),
    "last_administrator": ErrorCode(_CONFLICT, "The account is the last one in use that may administer."),
    "too_many_tries": ErrorCode(
        HTTPStatus.TOO_MANY_REQUESTS, "Too many tries were wrong: Retry-After says when to try again."
    ),
    "stale_page": ErrorCode(HTTPStatus.FORBIDDEN, "The page is of another session than the cookie: load it again."),
    "card_of_another": ErrorCode(HTTPStatus.FORBIDDEN, "The card belongs to another patient than the one named."),
    "foreign_origin": ErrorCode(HTTPStatus.FORBIDDEN, "A page of another site opens the socket, or uses a cookie."),
    "not_identified": ErrorCode(HTTPStatus.FORBIDDEN, "The birth date is another, or too many were tried."),
    "visit_unknown": ErrorCode(HTTPStatus.NOT_FOUND, "The kiosk of the visit has not told the hospital of it yet."),
    "unknown_patient": ErrorCode(HTTPStatus.NOT_FOUND, "There is no such patient."),
    "not_found": ErrorCode(HTTPStatus.NOT_FOUND, "There is no such entry, case, binding or path."),
    "method_not_allowed": ErrorCode(HTTPStatus.METHOD_NOT_ALLOWED, "The path takes other methods: Allow names them."),
    "too_slow": ErrorCode(HTTPStatus.REQUEST_TIMEOUT, "The request did not come in time."),
    "action_id_reused": ErrorCode(_CONFLICT, "This action_id came before with another content."),
    "token_replaced": ErrorCode(_CONFLICT, "A newer token is in use in place of this one."),
    "card_blocked": ErrorCode(_CONFLICT, "The card was reported lost, or is blocked already."),
    "decided_elsewhere": ErrorCode(_CONFLICT, "The hospital's other system decides this action."),
    "decided_here": ErrorCode(_CONFLICT, "A word of the hospital's other system is about an action of the centre's."),
    "already_in_line": ErrorCode(_CONFLICT, "The patient has another live entry in the line of this exam."),
    "entry_changed": ErrorCode(_CONFLICT, "The entry is in another state than `seen_state`: `entry` has it."),
    "line_moved": ErrorCode(_CONFLICT, "The entry is not the first one of the line any more: `next` is."),
    "not_undoable": ErrorCode(_CONFLICT, "Something newer has happened, or the press was undone: `after` has it."),
    "not_applicable": ErrorCode(_CONFLICT, "The case cannot be settled so."),
    "case_changed": ErrorCode(_CONFLICT, "Settled now, the case would have another effect than the one that was seen."),
    "possible_double": ErrorCode(_CONFLICT, "Records that the sender has not seen may be of the same person."),
    "patient_exists": ErrorCode(_CONFLICT, "A patient has this hospital number already."),
    "kiosk_away": ErrorCode(_CONFLICT, "The kiosk does not call the centre now, so its screen cannot ask for a card."),
    "kiosk_taken": ErrorCode(_CONFLICT, "Somebody else awaits a card at this kiosk."),
    "no_card_read": ErrorCode(_CONFLICT, "No card was read, or it was used, discarded, or read too long ago."),
    "changed_meanwhile": ErrorCode(_CONFLICT, "What the sender has seen is no longer so: look again."),
    "cursor_gone": ErrorCode(HTTPStatus.GONE, "The database was restored since the cursor was given: begin again."),
    "too_large": ErrorCode(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is larger than this endpoint takes."),
    "unsupported_media_type": ErrorCode(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The endpoint takes no body of this media type."
    ),
    "internal": ErrorCode(HTTPStatus.INTERNAL_SERVER_ERROR, "The centre failed; its log says more."),
    "busy": ErrorCode(HTTPStatus.SERVICE_UNAVAILABLE, "The centre cannot answer now: Retry-After says when to try."),
    "no_site": ErrorCode(HTTPStatus.SERVICE_UNAVAILABLE, "No hospital was imported yet: an operator has to act."),
}
