"""The ways to settle a case of the exception inbox, and a settlement as the payload of an action."""

from enum import StrEnum
from typing import Any

from sync.central.services.errors import ApiError
from sync.central.services.requests import NO_REASON, is_name, is_reason


class Settlement(StrEnum):
    """The decision of staff on the actions of a case."""

    APPLY = "apply"  # they count, as the patient did them
    DISCARD = "discard"  # they do not count
    REASSIGN = "reassign"  # they count as another patient's


def read_settlement(how: object, reason: object, patient_id: object, bind: object = False) -> dict[str, Any] | ApiError:
    """The payload {how, reason, patient_id, bind} of a settlement, or the error.

    `bind`: the card of the actions becomes the patient's too.
    """
    if how not in list(Settlement):
        return ApiError("malformed", f"how must be one of {', '.join(Settlement)}.")
    if not is_reason(reason):
        return NO_REASON
    if how == Settlement.DISCARD and not str(reason).strip():
        return ApiError("malformed", "reason is missing: a discarded case needs one.")
    if how == Settlement.REASSIGN and not is_name(patient_id):
        return ApiError("malformed", "patient_id must name the patient of the action.")
    if not isinstance(bind, bool):
        return ApiError("malformed", "bind must be true or false.")
    if bind and how != Settlement.REASSIGN:
        return ApiError("malformed", "bind goes with reassign alone, which names the patient.")
    named = patient_id if how == Settlement.REASSIGN else None
    return {"how": how, "reason": reason, "patient_id": named, "bind": bind}
