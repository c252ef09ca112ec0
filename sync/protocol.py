"""The messages between kiosk and centre, version 2. JSON over HTTP; times are UTC milliseconds (`*_ms`).

A kiosk pushes *intents*: the requests of persons, each with the ids that the centre needs to judge it. The intents of
an epoch form a hash chain, so that a gap, an edit or a clone shows. The centre answers each intent with a verdict, and
only that verdict retires the action. A pull brings whole rows as of their change number. Both ends ignore members that
they do not know. `docs/protocol.md` says what each message means.
"""

import hashlib
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from sync.cards import CardHash, CardKeys
from sync.clock import ClockReading
from sync.journey.model import Appointment, Exam, Journey

PROTOCOL_VERSION = 2
SUPPORTED_VERSIONS = frozenset({PROTOCOL_VERSION})  # those that this end speaks
MAX_BATCH = 160  # actions of one push
MAX_BATCH_BYTES = 256 * 1024  # of the bodies of one push
PAGE_ROWS = 25  # patients in a page for a kiosk that does not say how many it takes
MAX_PAGE_ROWS = 500  # patients in one page at most
MAX_ACTION_BODY = 32 * 1024  # bytes of one action's body: several fit into a batch, in Base64 too
DEFAULT_LANGUAGES = ("ko", "en")  # of a site that names none; the first one also for a patient without a language
NO_HASH = ""  # the previous hash of the first action of a chain


class Verdict(StrEnum):
    """The verdict on an action. It is final, but staff or a restore of the centre may give it a higher revision."""

    APPLIED = "applied"
    MERGED = "merged"  # the same action was done before
    SUPERSEDED = "superseded"  # the journey had changed before
    NEEDS_STAFF = "needs_staff"  # it waits in the exception inbox, with a reason


class Code(StrEnum):
    """The reason beside a verdict."""

    OK = "ok"
    ALREADY_SO = "already_so"
    VISIT_ALIAS = "visit_alias"  # the visit was opened elsewhere first; this id is an alias of that one
    MOVED_ON = "moved_on"
    EARLIER_LEG = "earlier_leg"
    LATE = "late"  # its day has ended: the attendance is kept in that visit's history
    CANCELLED = "cancelled"
    UNKNOWN_CARD = "unknown_card"
    UNKNOWN_PATIENT = "unknown_patient"
    REBOUND = "rebound"  # the card belongs to another patient now
    BLOCKED_CARD = "blocked_card"  # the card was reported lost, and opens nobody
    DEPENDS = "depends"  # an earlier action of the visit waits for staff
    MONEY = "money"
    PROOF_MISSING = "proof_missing"  # such as a payment without the id of a receipt
    PROOF_USED = "proof_used"  # the same proof counts for another visit already
    NOT_ALLOWED = "not_allowed"
    FORBIDDEN = "forbidden"  # the kiosk is not granted this action
    OLD_RULES = "old_rules"  # made under a version of the definitions that the centre no longer judges by
    QUARANTINED = "quarantined"  # its id has come with another content, or its body cannot be read
    ANSWERS_DIFFER = "answers_differ"  # the same action was done before, with other answers; staff have both
    TWO_VISITS = "two_visits"  # two records of one person were merged, each of them on a visit
    CORRECTED = "corrected"  # staff have corrected the journey since
    DISCARDED = "discarded"  # staff settled its case, and the action does not count
    DECIDED_ELSEWHERE = "decided_elsewhere"  # it waits for the word of the hospital's other system, and not for staff
    NOT_CONFIRMED = "not_confirmed"  # that word has not come in time, and staff decide


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One action of a kiosk: the body that the hash covers.

    - `site_id`: the site at which it was done. Another site's action is never judged.
    - `visit_id`: the visit that the action belongs to, or that it would open.
    - `leg`, `journey_state`: the visit's count of exams and the journey's state before the action.
    - `queue_id`: the id of the entry that the action would open.
    - `queue_number`: the number given to that entry; empty where no entry was opened, so that the number stays free.
    - `exam_id`: the exam that this number was given for; empty where no entry was opened.
    - `base_version`: the last `journey_version` of this patient that the kiosk got from the centre.
    - `appointment_ids`: the open bookings that the person was shown.
    - `card`: the hash of the card that was read, under the kiosk's newest key at that time.
    - `visit_hash`: SHA-256 (hex) of the secret that the kiosk showed for the visit; empty where it showed none.
    - `provisional`: the kiosk knows no patient for the card. `patient_id` is the id that the kiosk made.
    """

    site_id: str
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
    exam_id: str = ""
    binding_id: str | None = None
    card: CardHash | None = None
    appointment_ids: tuple[str, ...] = ()
    visit_hash: str = ""
    provisional: bool = False
    payload: dict[str, Any] = {}


class PriorVerdict(msgspec.Struct, frozen=True):
    """The verdict that a kiosk already has for an action that it sends again."""

    verdict: Verdict
    code: Code
    revision: int = 0


class Opaque(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record as stored on the kiosk's disk. It cannot be read, or the centre never accepts it.

    `body` is Base64 (RFC 4648, 4) of the record's first 32 KiB. `size` is the whole record's in bytes, where it is
    longer than that. `readable`: the kiosk can read it, and only the way to the centre refuses it.
    """

    seq: int
    action_id: str
    body: str
    size: int | None = None
    readable: bool = False


class Pushed(msgspec.Struct, frozen=True, omit_defaults=True):
    """An intent on the wire: its body, and its hash in the chain.

    `held` is the verdict that the kiosk already has for it. `opaque` comes with a body of null: the record is sent
    unread, for quarantine.
    """

    hash: str
    body: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    held: PriorVerdict | None = None
    opaque: Opaque | None = None

    def __post_init__(self) -> None:
        """Raises ValueError where there is neither a body nor an opaque record."""
        if not self.body and self.opaque is None:
            raise ValueError("a pushed action has a body")


class RequestVersion(msgspec.Struct, frozen=True):
    """The version of a push or pull: the one member that such a request has in every version."""

    protocol_version: int


class PushRequest(msgspec.Struct, frozen=True, kw_only=True):
    """At most 160 actions and 256 KiB of bodies, in the order of `seq`. `now` is the reading of the kiosk's clocks at
    sending. `site_id` is the kiosk's site: the centre of another one refuses the call, and a call without it.

    `trial` is an action that the centre does not read. A kiosk sends it beside an empty list, to learn whether the
    network lets the action pass by now.
    """

    protocol_version: int
    site_id: str = ""
    kiosk_id: str
    epoch: int
    now: ClockReading
    server_incarnation: str | None = None
    actions: list[Pushed]
    trial: Pushed | None = None


class VerdictRow(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict for one action. `journey` is the patient's journey after it; None where the patient is unknown."""

    action_id: str
    seq: int
    verdict: Verdict
    code: Code
    revision: int = 0
    patient_id: str | None = None
    visit_id: str | None = None
    journey: Journey | None = None


class PushAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict for each action.

    `site_id` is the site of the centre: a kiosk of another site adopts nothing of the answer. `last_seq` is the last
    action of the epoch that the centre has, `backed_up_seq` the last that its backups cover. `versions` are the
    versions of this protocol that the centre speaks.
    """

    site_id: str
    server_incarnation: str
    last_seq: int
    backed_up_seq: int
    verdicts: list[VerdictRow]
    versions: tuple[int, ...]


class EndCode(StrEnum):
    """Why a whole call was refused. The centre has stored nothing of the call, and the kiosk retires no action."""

    GAP = "gap"  # send again from `expected_seq`
    FORK = "fork"  # the chain does not continue the centre's: renumber under `epoch`
    ENDED = "ended"  # the token was revoked: forget the patients, and enrol again
    NOT_KNOWN = "not_known"  # no token came, or one that the centre does not know: keep everything
    REPLACED = "replaced"  # a newer token has replaced the one that came: keep everything, and enrol again
    BAD_CURSOR = "bad_cursor"  # the centre never gave the cursor to the kiosk: pull from the beginning
    NO_SITE = "no_site"  # the centre has no hospital yet; an operator has to import one
    OTHER_SITE = "other_site"  # the kiosk belongs to another site than the centre
    UNSUPPORTED_VERSION = "unsupported_version"
    TRY_LATER = "try_later"  # busy; `retry_after_s`
    MALFORMED = "malformed"


class CallRefused(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every refused sync call (HTTP 4xx or 503).

    `site_id` is the site of the centre, beside `gap`, `fork`, `ended`, `not_known`, `replaced`, `bad_cursor` and
    `other_site`: a kiosk of another site follows none of them. `versions` are the versions of this protocol that the
    centre speaks, beside `unsupported_version`. `token_sha256` is the SHA-256 (hex) of the token that came with the
    call, beside `ended`, `not_known` and `replaced`; None where no token came. A kiosk believes `ended` only beside the
    hash of its own token.
    """

    code: EndCode
    error: str
    site_id: str | None = None
    expected_seq: int | None = None
    epoch: int | None = None
    retry_after_s: float | None = None
    versions: tuple[int, ...] = ()
    token_sha256: str | None = None


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The kiosk's site: name, IANA time zone, start of the day (local time), walk-in desk, languages of the screen.

    `refuse_short_uids`: the site does not accept cards of iso14443a with a UID of 4 bytes. `decided_elsewhere`: the
    actions that another system of the hospital decides.
    """

    name: str
    timezone: str
    day_starts_at: str
    walk_in: Exam
    languages: tuple[str, ...] = DEFAULT_LANGUAGES
    refuse_short_uids: bool = False
    decided_elsewhere: tuple[str, ...] = ()


class BindingRow(msgspec.Struct, frozen=True):
    """A card that is bound to a patient, as its hash under one key."""

    binding_id: str
    key_id: str
    uid_hash: str


class PatientRow(msgspec.Struct, frozen=True, kw_only=True):
    """All that a kiosk holds of a patient. `tomorrow` are the next site day's bookings, `change` the change number."""

    patient_id: str
    masked_name: str
    language: str
    change: int
    bindings: tuple[BindingRow, ...]
    journey: Journey
    tomorrow: tuple[Appointment, ...] = ()


class Renamed(msgspec.Struct, frozen=True):
    """A merge of two records of one person: the patient id `old` is an alias of `patient_id`."""

    old: str
    patient_id: str


class Sealed(msgspec.Struct, frozen=True):
    """An answer in Base64 (RFC 4648, 4), so that no content filter between reads it; None in one that is not sealed."""

    sealed: str | None = None


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """The actions of a kiosk that wait for a verdict.

    `waiting` is their number, `age_ms` the age of the oldest by the kiosk's clocks. `oldest` is a number by which the
    kiosk knows the oldest: it stays the same while that one waits. An id could be one more text that a filter
    dislikes. `parked` is the number of those that the network does not let pass, so that they have left the chain.
    """

    waiting: int
    oldest: int
    age_ms: int
    parked: int = 0


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for the changes after `cursor` (0: everything). The centre may wait up to `wait_s` seconds for news.

    `cursor_mac` is the one that came with the cursor, and proves that the cursor is the centre's.
    `site_id` is as in a push. `last_seq` is the last action of the kiosk's chain, with or without a verdict, and 0
    where there is none. `chain_hash` is the hash of that action. `backlog` is None where no action waits.
    `card_key_id` is the newest card key of the kiosk, and empty where it has none: the centre sends its keys to a kiosk
    with another one. `rows` is how many patients the kiosk takes in one page, and 500 at most count. `sealed` asks for
    an answer in Base64. It also tells that no answer to the pull before has come, so a client sets it in that case
    alone, and in its first pull.
    """

    protocol_version: int
    site_id: str = ""
    kiosk_id: str
    epoch: int
    cursor: int
    cursor_mac: str = ""
    server_incarnation: str | None = None
    definitions_version: int = 0
    wait_s: float = 0.0
    last_seq: int = 0
    chain_hash: str = ""
    backlog: Backlog | None = None
    card_key_id: str | None = None
    rows: int = PAGE_ROWS
    sealed: bool = False


class DeskAsk(msgspec.Struct, frozen=True):
    """The desk awaits the next card of the kiosk, for `left_ms` more. `ask_id` is the id of that wait."""

    ask_id: str
    left_ms: int


class PageHead(msgspec.Struct, frozen=True, kw_only=True):
    """A page without the rows that many kiosks get alike: the fields are explained at PullAnswer."""

    site_id: str
    server_incarnation: str
    from_cursor: int
    cursor: int
    cursor_mac: str
    reset: bool
    more: bool
    gone: tuple[str, ...]
    actions: tuple[str, ...]
    site: Site
    now_ms: int
    verdicts: tuple[VerdictRow, ...] = ()
    definitions: dict[str, Any] | None = None
    retry_after_s: float | None = None
    renamed: tuple[Renamed, ...]
    last_seq: int | None
    backed_up_seq: int
    epoch: int
    asked_cursor: int
    versions: tuple[int, ...]
    card_keys: CardKeys | None = None
    renew_token: bool = False
    desk_ask: DeskAsk | None = None


class PullAnswer(PageHead, frozen=True, kw_only=True):
    """A page: the changes after `from_cursor`, up to `cursor`. With `reset`, it begins a snapshot of the roster.

    - `site_id`: as in a push's answer.
    - `cursor_mac`: the centre's own mark of incarnation, kiosk and `cursor`, for the next request.
    - `gone`: patients that have left the roster.
    - `verdicts`: verdicts for this kiosk's actions that have a new revision.
    - `renamed`: records that were merged into others.
    - `blocked`: the hashes of cards that were reported lost. `unblocked`: those of cards that may be used again.
    - `definitions`: the document of the rules, where the kiosk's version differs; else None.
    - `retry_after_s`: set where the centre could not let the call wait.
    - `last_seq`, `backed_up_seq`: as in a push's answer, of `epoch`, which is the epoch of the request. `last_seq` is
      None where the centre knows the kiosk in another epoch.
    - `asked_cursor`: the cursor of the request.
    - `versions`: the versions of this protocol that the centre speaks.
    - `card_keys`: every card key, oldest first, where the kiosk's newest one is another; else None.
    - `renew_token`: the kiosk is to ask for a newer token.
    - `desk_ask`: the next card at the kiosk is for the desk, and does nothing else; None where no card is awaited.
    """

    patients: tuple[PatientRow, ...]
    blocked: tuple[CardHash, ...]
    unblocked: tuple[CardHash, ...]


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for a newer token, with the present one. `sealed` is as in a pull."""

    protocol_version: int
    site_id: str
    kiosk_id: str
    sealed: bool = False


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A newer token of the kiosk. Its first use replaces the present one, which is valid for five minutes more."""

    site_id: str
    token: Annotated[str, msgspec.Meta(pattern="^[!-~]{32,256}$")]
    versions: tuple[int, ...]


class DeskWord(StrEnum):
    """What a kiosk tells of a card for the desk."""

    READER = "reader"  # every card of this kiosk is for the desk; said again and again
    SHOWN = "shown"  # the screen asks for the card
    CARD = "card"  # a card was read
    REFUSED = "refused"  # a card was held that cannot be used; another one may come
    CANCELLED = "cancelled"  # a person at the kiosk ended the wait


class DeskCardRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Tells of a card for the desk. `sealed` is as in a pull.

    `ask_id` is the id of the wait. A kiosk whose cards are all for the desk makes an id for each card. `card` is the
    card's hash under the kiosk's newest key, beside `card` alone. `short_uid`: its UID has 4 bytes. `reason` is why a
    card was refused.
    """

    protocol_version: int
    site_id: str
    kiosk_id: str
    word: DeskWord
    ask_id: str = ""
    card: CardHash | None = None
    short_uid: bool = False
    reason: str = ""
    sealed: bool = False


class DeskCardAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the word counts. A card that nobody awaits any more does not. It tells nothing of whose the card is."""

    site_id: str
    counts: bool
    versions: tuple[int, ...]


class LookupRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks who holds one card that the kiosk does not know. `card` is its hash under the kiosk's newest key.

    `sealed` is as in a pull.
    """

    protocol_version: int
    site_id: str
    kiosk_id: str
    card: CardHash
    sealed: bool = False


class LookupAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The holder of the card as of this moment; None for a card that no patient has.

    The patient is on the roster from now on, so the next pages bring the row again. `versions` are the versions of
    this protocol that the centre speaks.
    """

    site_id: str
    server_incarnation: str
    patient: PatientRow | None
    versions: tuple[int, ...]


class EnrolRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A one-use code, and the wishes of the kiosk's configuration. The centre decides.

    `site_id` is the site that the machine belongs to already, if any. `kept` counts the actions of that site that the
    machine must not lose. With such actions the centre of another site refuses, and the code stays good. `attempt` is
    random and secret, 16 to 32 bytes in hex: a repeat with the same code and attempt gets the same answer. Empty: no
    repeat is answered. `sealed` is as in a pull.
    """

    code: str
    attempt: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{32,64})?$")] = ""
    site_id: str = ""
    kept: int = 0
    kiosk_id: str = ""
    name: str = ""
    ticket_prefix: str = ""
    actions: tuple[str, ...] = ()
    sealed: bool = False


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """A kiosk's new identity, with its token, the card keys, its site and the definitions."""

    kiosk_id: str
    epoch: int
    name: str
    ticket_prefix: str
    actions: tuple[str, ...]
    token: str
    card_keys: CardKeys
    site_id: str
    server_incarnation: str
    site: Site
    definitions: dict[str, Any]


def canonical(value: object) -> bytes:
    """Canonical JSON: members sorted, no white space, UTF-8. Bodies hold no floating-point numbers."""
    return msgspec.json.encode(value, order="sorted")


def chain_hash(previous_hash: str, body: bytes) -> str:
    """SHA-256 (hex) of the previous hash and the canonical form of a body. `body` is JSON in any spelling.

    Raises msgspec.DecodeError (a ValueError) where `body` is no JSON or is nested too deep.
    """
    try:
        canonical_body = canonical(msgspec.json.decode(body))
    except RecursionError as error:
        raise msgspec.DecodeError("nested too deep") from error
    return link_hash(previous_hash, canonical_body)


def link_hash(previous_hash: str, canonical_body: bytes) -> str:
    """SHA-256 (hex) of the previous hash and a body that is canonical already."""
    return hashlib.sha256(previous_hash.encode() + canonical_body).hexdigest()
