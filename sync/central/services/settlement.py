"""The ways to settle a case of the exception inbox, and a settlement as the payload of an action."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec

from sync.central.services.bodies import ActionBody, Reason, read_members
from sync.central.services.errors import ApiError
from sync.central.services.requests import NO_REASON, is_name


class Settlement(StrEnum):
    """The decision of staff on the actions of a case."""

    APPLY = "apply"  # they count, as the patient did them
    DISCARD = "discard"  # they do not count
    REASSIGN = "reassign"  # they count as another patient's


Seen = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_NO_PATIENT = ApiError("malformed", "patient_id must name the patient of the action.")
_WORDS = {
    "how": ApiError("malformed", f"how must be one of {', '.join(Settlement)}."),
    "reason": NO_REASON,
    "patient_id": _NO_PATIENT,
    "bind": ApiError("malformed", "bind must be true or false."),
    "seen": ApiError("malformed", "seen must be that of a preview."),
}


class SettleCase(ActionBody, frozen=True, kw_only=True):
    """How a case is settled. `discard` needs a reason, `reassign` a patient.

    `bind`: the card of the actions becomes the patient's too. `seen` is that of the preview that was looked at: where
    the settlement would have another effect by now, it is refused with `case_changed`.
    """

    how: Settlement
    reason: Reason = ""
    patient_id: str | None = None
    bind: bool = False
    seen: Seen | None = None


class PreviewCase(msgspec.Struct, frozen=True, kw_only=True):
    """A settlement that is to be told before it is done. The members are those of a settlement."""

    how: Settlement
    patient_id: str | None = None
    bind: bool = False


def read_preview(how: object, patient_id: object, bind: object = False) -> dict[str, Any] | ApiError:
    """The payload of a settlement whose effect is to be told, or the error. It needs no reason."""
    return read_settlement(how, "-", patient_id, bind)


def read_settlement(
    how: object, reason: object, patient_id: object, bind: object = False, seen: object = None
) -> dict[str, Any] | ApiError:
    """The payload {how, reason, patient_id, bind, seen} of a settlement, or the error.

    `bind`: the card of the actions becomes the patient's too. `seen`: what a Foreseen says in its member of that name.
    """
    members = {"how": how, "reason": reason, "patient_id": patient_id, "bind": bind, "seen": seen}
    found = read_members(SettleCase, members, _WORDS)
    if isinstance(found, ApiError):
        return found
    reassigns = found.how is Settlement.REASSIGN
    if found.how is Settlement.DISCARD and not found.reason.strip():
        return ApiError("malformed", "reason is missing: a discarded case needs one.")
    if reassigns and not is_name(found.patient_id):
        return _NO_PATIENT
    if found.bind and not reassigns:
        return ApiError("malformed", "bind goes with reassign alone, which names the patient.")
    named = found.patient_id if reassigns else None
    return {
        "how": found.how.value,
        "reason": found.reason,
        "patient_id": named,
        "bind": found.bind,
        "seen": found.seen,
    }
