"""The messages between kiosk and centre, version 2. JSON over HTTP; times are UTC milliseconds (`*_ms`).

A kiosk pushes *intents*: what a person asked for, with every identity that the centre needs to judge it. They form a
hash chain per epoch, so that a gap, an edit or a clone shows. The centre answers each with a verdict, and only that
verdict retires it. A pull brings whole rows as of their change number. Unknown fields are ignored, so that a newer end
may say more, and what version 2 added has a default: each message of version 1 is one of version 2. Only codes are
closed words, so an end that speaks version 1 is told those that it knows. `docs/protocol.md` says what each means.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from sync.cards import CardHash, CardKeys
from sync.clock import ClockReading
from sync.journey.model import Appointment, Exam, Journey

PROTOCOL_VERSION = 2
SUPPORTED_VERSIONS = frozenset({1, 2})
MAX_BATCH = 100
MAX_BATCH_BYTES = 256 * 1024
MAX_BODY = 32 * 1024  # bytes of one action's body: many fit into a batch, in Base64 too
NO_HASH = ""  # the chain's previous hash where nothing came before


class Verdict(StrEnum):
    """What became of an action, for good (a restore of the centre may give it a new revision)."""

    APPLIED = "applied"
    MERGED = "merged"  # it was already so
    SUPERSEDED = "superseded"  # things had moved on
    NEEDS_STAFF = "needs_staff"  # waits in the exception inbox, with a reason


class Code(StrEnum):
    """The reason beside a verdict."""

    OK = "ok"
    ALREADY_SO = "already_so"
    VISIT_ALIAS = "visit_alias"  # opened elsewhere first; this visit is an alias of that one
    MOVED_ON = "moved_on"
    EARLIER_LEG = "earlier_leg"
    LATE = "late"  # of a day closed meanwhile: attendance kept in that visit's history
    CANCELLED = "cancelled"
    UNKNOWN_CARD = "unknown_card"
    UNKNOWN_PATIENT = "unknown_patient"
    REBOUND = "rebound"  # the card belongs to another patient by now
    DEPENDS = "depends"  # an earlier action of the visit waits for staff
    MONEY = "money"
    NOT_ALLOWED = "not_allowed"
    FORBIDDEN = "forbidden"  # the kiosk is not granted this action
    OLD_RULES = "old_rules"  # made under a version of the definitions that the centre no longer judges by
    QUARANTINED = "quarantined"  # same id with other content, or a body that cannot be digested
    # Since version 2.
    ANSWERS_DIFFER = "answers_differ"  # it was already so, but the person said something else; staff have both
    TWO_VISITS = "two_visits"  # two records of one person were merged, each of them on a visit
    CORRECTED = "corrected"  # staff have said since where the patient stands
    DISCARDED = "discarded"  # staff settled its case: it does not count


_OF_VERSION_1: Mapping[Code, Code] = {
    Code.ANSWERS_DIFFER: Code.ALREADY_SO,
    Code.TWO_VISITS: Code.NOT_ALLOWED,
    Code.CORRECTED: Code.MOVED_ON,
    Code.DISCARDED: Code.MOVED_ON,
}


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One action as the kiosk applied it: the body that the hash covers.

    `visit_id` is the visit it belongs to or would open, `leg` the exam of the visit it was made in, `journey_state`
    the state it was made in, `queue_id` the entry it would open, `queue_number` the label given to that entry (empty
    where none was opened: that number is the next person's), `base_version` the last journey_version pulled for this
    patient, `appointment_ids` the open bookings that the person was shown, `cards` the card's hashes (one per key),
    `provisional` that the kiosk knows no patient for the card and `patient_id` is a name of its own making.
    """

    kiosk_id: str
    epoch: int
    seq: int
    action_id: str
    action_type: str
    patient_id: str
    visit_id: str
    leg: int
    queue_id: str
    queue_number: str
    base_version: int
    definitions_version: int
    site_day: str
    clock: ClockReading
    journey_state: str = ""
    binding_id: str | None = None
    cards: tuple[CardHash, ...] = ()
    appointment_ids: tuple[str, ...] = ()
    provisional: bool = False
    payload: dict[str, Any] = {}


class PriorVerdict(msgspec.Struct, frozen=True):
    """The verdict that a kiosk had been told of an action which it sends again."""

    verdict: Verdict
    code: Code
    revision: int = 0


class Opaque(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record that cannot be read any more, or that no centre could take in, as it lies on the kiosk's disk: `body` is
    Base64 (RFC 4648, 4), of its first 32 KiB where it is longer. `size` is the whole record's in bytes then."""

    seq: int
    action_id: str
    body: str
    size: int | None = None


class Pushed(msgspec.Struct, frozen=True, omit_defaults=True):
    """An intent on the wire: its body, and its hash in the chain. `held` where it was judged before, and the centre has
    been restored since; `opaque` beside a body of null, to go into quarantine unread."""

    hash: str
    body: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    held: PriorVerdict | None = None
    opaque: Opaque | None = None

    def __post_init__(self) -> None:
        """Raises ValueError where there is neither a body nor an opaque one."""
        if not self.body and self.opaque is None:
            raise ValueError("a pushed action has a body")


class PushRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Up to 100 actions or 256 KiB, in the order of their seq. `now` is the kiosk's clocks at sending."""

    protocol_version: int
    kiosk_id: str
    epoch: int
    now: ClockReading
    server_incarnation: str | None = None
    actions: list[Pushed]


class VerdictRow(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict for one action. `journey` is the patient's journey after it (None where the patient is unknown)."""

    action_id: str
    seq: int
    verdict: Verdict
    code: Code
    revision: int = 0
    patient_id: str | None = None
    visit_id: str | None = None
    journey: Journey | None = None


class PushAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict per action. `last_seq`: the last the centre has; `backed_up_seq`: the last that its backups cover;
    `newest_version`: of this protocol, as the centre speaks it."""

    server_incarnation: str
    last_seq: int
    backed_up_seq: int
    verdicts: list[VerdictRow]
    newest_version: int = 1


class EndCode(StrEnum):
    """Why a whole call was refused. Nothing of it was kept, and nothing of it is retired by that."""

    GAP = "gap"  # send again from `expected_seq`
    FORK = "fork"  # the chain does not fit what the centre has: renumber under `epoch`
    FENCED = "fenced"  # this epoch or token is over: enrol again
    UNSUPPORTED_VERSION = "unsupported_version"
    TRY_LATER = "try_later"  # busy; `retry_after_s`
    MALFORMED = "malformed"


class CallRefused(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every refused sync call (HTTP 4xx or 503). `versions` are those of this protocol that the centre
    speaks, where it is the version that it refuses."""

    code: EndCode
    error: str
    expected_seq: int | None = None
    epoch: int | None = None
    retry_after_s: float | None = None
    versions: tuple[int, ...] = ()


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What a kiosk must know of its site: name, IANA time zone, start of the day, the walk-in desk, languages."""

    name: str
    timezone: str
    day_starts_at: str
    walk_in: Exam
    languages: tuple[str, ...] = ("ko", "en")


class BindingRow(msgspec.Struct, frozen=True):
    """A card that is bound to the patient now."""

    binding_id: str
    key_id: str
    uid_hash: str


class PatientRow(msgspec.Struct, frozen=True, kw_only=True):
    """All that a kiosk holds of a patient. `tomorrow` are the next site day's bookings; `change` its change number."""

    patient_id: str
    masked_name: str
    language: str
    change: int
    bindings: tuple[BindingRow, ...]
    journey: Journey
    tomorrow: tuple[Appointment, ...] = ()


class Renamed(msgspec.Struct, frozen=True):
    """Two records of one person were merged: who was `old` is `patient_id` from now on."""

    old: str
    patient_id: str


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for what changed after `cursor` (0: everything). Waits up to `wait_s` seconds where there is nothing new."""

    protocol_version: int
    kiosk_id: str
    epoch: int
    cursor: int
    server_incarnation: str | None = None
    definitions_version: int = 0
    wait_s: float = 0.0


class PullAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of rows from `from_cursor` to `cursor`. With `reset`, what the kiosk held before is to be forgotten first.

    `gone` are patients that have left the roster, `verdicts` those for actions of this kiosk that were given anew
    (a higher revision), `renamed` records that were merged into others. `definitions` comes where the kiosk's version
    differs. `retry_after_s` is set where the centre could not let the call wait. `last_seq` and `backed_up_seq` are
    those of a push's answer, `last_seq` null where the kiosk's epoch is not the one that the centre knows; `epoch` is
    the one that they are of (None from a centre that does not say it: the one that was asked in). `asked_cursor` is
    the cursor of the request that this answers (None from a centre that does not say it).
    """

    server_incarnation: str
    from_cursor: int
    cursor: int
    reset: bool
    more: bool
    patients: tuple[PatientRow, ...]
    gone: tuple[str, ...]
    actions: tuple[str, ...]
    site: Site
    now_ms: int
    verdicts: tuple[VerdictRow, ...] = ()
    definitions: dict[str, Any] | None = None
    retry_after_s: float | None = None
    renamed: tuple[Renamed, ...] = ()
    last_seq: int | None = None
    backed_up_seq: int = 0
    epoch: int | None = None
    asked_cursor: int | None = None
    newest_version: int = 1


class EnrolRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A one-use code, and what the configuration suggests; the centre decides."""

    code: str
    kiosk_id: str = ""
    name: str = ""
    ticket_prefix: str = ""
    actions: tuple[str, ...] = ()


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """Who the kiosk is from now on: identity, token, card keys, site and definitions."""

    kiosk_id: str
    epoch: int
    name: str
    ticket_prefix: str
    actions: tuple[str, ...]
    token: str
    card_keys: CardKeys
    server_incarnation: str
    site: Site
    definitions: dict[str, Any]


def spoken(row: VerdictRow, version: int) -> VerdictRow:
    """A verdict as an end of that version knows its words."""
    code = _OF_VERSION_1.get(row.code, row.code) if version < 2 else row.code
    return row if code is row.code else msgspec.structs.replace(row, code=code)


def canonical(value: object) -> bytes:
    """Canonical JSON: keys sorted, no white space, UTF-8. Bodies hold no floating-point numbers."""
    return msgspec.json.encode(value, order="sorted")


def chain_hash(previous_hash: str, body: bytes) -> str:
    """SHA-256 (hex) over the previous hash and the canonical body. `body` is JSON in any spelling.

    Raises msgspec.DecodeError (a ValueError) where it is no JSON, or nested beyond all measure.
    """
    try:
        canonical_body = canonical(msgspec.json.decode(body))
    except RecursionError as error:
        raise msgspec.DecodeError("nested too deep") from error
    return link_hash(previous_hash, canonical_body)


def link_hash(previous_hash: str, canonical_body: bytes) -> str:
    """The same over a body that is canonical already."""
    return hashlib.sha256(previous_hash.encode() + canonical_body).hexdigest()
