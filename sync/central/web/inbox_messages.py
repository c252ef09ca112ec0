"""The messages of the socket of the exception inbox."""

import msgspec

from sync.central.services.bodies import Name
from sync.central.services.case_viewers import CaseViewer
from sync.central.web.socket_messages import ErrorMessage, Ping, Pong, Renew, Renewed


class OpenInbox(msgspec.Struct, frozen=True):
    """The number of open cases, and who has which case open. `viewer_id` is the socket's own."""

    viewer_id: str
    open: int
    viewers: list[CaseViewer]


class ChangedInbox(OpenInbox, frozen=True):
    """The same, and the ids of the cases that have come, changed or gone since; null where any may have."""

    changed: list[str] | None


class InboxMessage(msgspec.Struct, frozen=True, tag_field="type", tag="inbox"):
    """The inbox on connect."""

    payload: OpenInbox


class InboxUpdate(msgspec.Struct, frozen=True, tag_field="type", tag="inbox_update"):
    """What has changed since the message before. Several changes at once come as one message."""

    payload: ChangedInbox


class LookAtCase(msgspec.Struct, frozen=True, tag_field="command", tag="look"):
    """Says which case the page shows from now on; null for none. Others see the name of the person beside that case.

    A change of the case's patient is told as a change of the case, and so is one of `patient_id`, such as a patient to
    whom the case may be assigned.
    """

    exception_id: Name | None = None
    patient_id: Name | None = None


INBOX_SENT = (InboxMessage, InboxUpdate, Pong, Renewed, ErrorMessage)
INBOX_TAKEN = (LookAtCase, Ping, Renew)
