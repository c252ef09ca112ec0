"""A press of staff on something that is not as their screen shows it: refused with what is so now."""

import msgspec
from msgspec import UNSET, UnsetType

from sync.central.centre import Centre
from sync.central.records.site import SiteSettings
from sync.central.services.answers import Answer, offered
from sync.central.services.entry_now import ChangeAfter, EntryNow
from sync.central.services.errors import ApiError, ErrorBody
from sync.journey.model import Actor, Journey


class Contradiction(msgspec.Struct, frozen=True):
    """A refusal that is stored as any answer of the rules: a repeat gets it again.

    `entry` is the entry of the press, `next` the first one of the line, `after` what happened after the press to undo.
    None stands for what there is none of; UNSET for what the refusal is not about.
    """

    error: ApiError
    journey: Journey
    entry: EntryNow | UnsetType | None = UNSET
    next: EntryNow | UnsetType | None = UNSET
    after: ChangeAfter | UnsetType | None = UNSET


def contradicted(centre: Centre, site: SiteSettings, actor: Actor, found: Contradiction) -> Answer:
    """The answer to such a press. It tells of the patient, and of the patients of the entries that it names."""
    journey, error = found.journey, found.error
    actions = offered(centre.definitions, site, journey, actor)
    body = ErrorBody(
        error.message, error.code, journey.state, actions, entry=found.entry, next=found.next, after=found.after
    )
    return Answer(error.status, msgspec.json.encode(body), (journey.patient_id, *patients_in_error(body)))


def patients_in_error(body: ErrorBody) -> tuple[str, ...]:
    """The patients of the entries that an error names."""
    return tuple(each.patient_id for each in (body.entry, body.next) if isinstance(each, EntryNow))
