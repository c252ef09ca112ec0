"""The next card at a kiosk: staff await it, the kiosk asks for it, and staff decide what becomes of it.

A card that was read binds nobody. One kiosk is asked, for a minute, and one card counts. Nobody is checked in by it.
"""

from typing import Literal

import msgspec

from sync.central.centre import Centre
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.bindings import binding_of_card, read_binding
from sync.central.records.card_blocks import block_of_card
from sync.central.records.desk_cards import (
    DeskCard,
    Ended,
    add_desk_card,
    awaited_cards,
    end_desk_card,
    read_desk_card,
    unused_cards,
)
from sync.central.records.kiosks import Kiosk, read_kiosk
from sync.central.records.people import read_person
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.answers import Answer
from sync.central.services.errors import NO_KIOSK, ApiError
from sync.central.services.once import ActionContext, Subject, once
from sync.central.services.requester import Requester
from sync.central.services.requests import ActionRequest
from sync.central.services.told import Told, told_of
from sync.central.store.news import KiosksToTell
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso

AWAIT, END = "await_card", "end_desk_card"  # the action types
ASK_MS = 60_000  # a kiosk asks for a card for so long
USE_MS = 10 * 60_000  # a card that was read can be bound for so long
AWAY_MS = 3 * 60_000  # a kiosk that calls is recorded once a minute
NO_CARD = ApiError("no_card_read", "No card was read, or it was used, discarded, or read too long ago.")
_NO_ASK = ApiError("not_found", "No card was awaited under this id.")
_AWAY = ApiError("kiosk_away", "The kiosk does not call the centre now, so its screen cannot ask for a card.")
_TAKEN = ApiError("kiosk_taken", "Somebody else awaits a card at this kiosk.")

CardState = Literal["asked", "shown", "read", "late", "bound", "discarded", "cancelled", "cancelled_at_kiosk"]


class CardHolder(msgspec.Struct, frozen=True):
    """The patient who holds a card that was read, and the binding."""

    patient_id: str
    name: str
    birth_date: str | None
    binding_id: str
    label: str


class CardAtDesk(msgspec.Struct, frozen=True):
    """A card that is awaited at a kiosk, or was read there.

    `asked`: the kiosk has not said yet that its screen asks for the card. `late`: no card came in time. `left_s` are
    the seconds in which a card still counts. `refused` is why the kiosk refused the last card that cannot be used.
    `blocked`: the card was reported lost. `usable`: the card can be bound.
    """

    ask_id: str
    kiosk_id: str
    kiosk_name: str
    state: CardState
    asked_at: str
    read_at: str | None
    left_s: float
    refused: str
    holder: CardHolder | None
    blocked: bool
    usable: bool


class ReadCards(msgspec.Struct, frozen=True):
    """The cards that a kiosk has read for the desk within the last minutes and that nobody has used, newest first."""

    cards: list[CardAtDesk]


class AwaitedCard(msgspec.Struct, frozen=True):
    """The wait for a card: its id, and the seconds in which a card counts."""

    ask_id: str
    left_s: float


class EndedCard(msgspec.Struct, frozen=True):
    """A wait that was cancelled, or a card that was discarded."""

    ask_id: str
    state: CardState


def await_card(centre: Centre, requester: Requester, request: ActionRequest) -> Answer:
    """Has the kiosk of the payload (`kiosk_id`) ask for a card. Answers with an AwaitedCard."""

    def act(context: ActionContext, _: Subject) -> AwaitedCard | ApiError:
        db, now_ms, who = context.db, context.now_ms, context.requester.who
        kiosk = read_kiosk(db, str(context.request.named("kiosk_id")))
        if kiosk is None or kiosk.revoked_ms is not None:
            return NO_KIOSK
        if is_away(kiosk, now_ms):
            return _AWAY
        before = awaited_cards(db, now_ms).get(kiosk.kiosk_id)
        if before is not None and before.who != who:
            return _TAKEN
        if before is not None:
            end_desk_card(db, before.ask_id, Ended.CANCELLED, now_ms)
        asked = DeskCard(context.centre.ids(), kiosk.kiosk_id, who, now_ms, now_ms + ASK_MS)
        add_desk_card(db, asked)
        _tell_kiosks(context)
        detail = {"ask_id": asked.ask_id, "kiosk_id": kiosk.kiosk_id}
        note(db, who, AuditKind.AWAIT_CARD, now_ms, action_id=context.request.action_id, detail=detail)
        return AwaitedCard(asked.ask_id, ASK_MS / 1000)

    return once(centre, requester, request, lambda _: Subject("kiosk"), act)


def look_at_card(centre: Centre, ask_id: str) -> Told | ApiError:
    """The CardAtDesk of an id, with its holder."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        asked = read_desk_card(db, ask_id)
        if asked is None:
            return _NO_ASK
        return _told(card_at_desk(db, centre, read_site(db), asked, now_ms))


def read_cards(centre: Centre, kiosk_id: str) -> Told | ApiError:
    """The ReadCards of a kiosk."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        if read_kiosk(db, kiosk_id) is None:
            return NO_KIOSK
        site = read_site(db)
        cards = [card_at_desk(db, centre, site, each, now_ms) for each in unused_cards(db, kiosk_id, now_ms - USE_MS)]
        holders = [each.holder.patient_id for each in cards if each.holder]
        return told_of(ReadCards(cards), AuditKind.LOOK_DESK, holders)


def end_card(centre: Centre, requester: Requester, ask_id: str, request: ActionRequest) -> Answer:
    """Cancels the wait for a card, or discards a card that was read. Answers with an EndedCard."""

    def act(context: ActionContext, _: Subject) -> EndedCard | ApiError:
        db, now_ms = context.db, context.now_ms
        asked = read_desk_card(db, ask_id)
        if asked is None:
            return _NO_ASK
        if asked.ended_ms is not None:
            return EndedCard(ask_id, state_of(asked, now_ms))
        how = Ended.CANCELLED if asked.card is None else Ended.DISCARDED
        end_desk_card(db, ask_id, how, now_ms)
        _tell_kiosks(context)
        detail = {"ask_id": ask_id, "kiosk_id": asked.kiosk_id, "how": how.value}
        who, action_id = context.requester.who, context.request.action_id
        note(db, who, AuditKind.END_DESK_CARD, now_ms, action_id=action_id, detail=detail)
        return EndedCard(ask_id, "cancelled" if how is Ended.CANCELLED else "discarded")

    return once(centre, requester, request, lambda _: Subject(ask_id), act)


def is_away(kiosk: Kiosk, now_ms: int) -> bool:
    """Whether a kiosk has not called the centre for minutes."""
    return kiosk.seen_ms is None or kiosk.seen_ms < now_ms - AWAY_MS


def state_of(asked: DeskCard, now_ms: int) -> CardState:
    """The state of an awaited card in one word."""
    if asked.ended_how is not None:
        return asked.ended_how.value
    if asked.card is not None:
        return "read" if (asked.read_ms or 0) >= now_ms - USE_MS else "late"
    if not asked.awaits(now_ms):
        return "late"
    return "asked" if asked.shown_ms is None else "shown"


def card_at_desk(db: ReadTransaction, centre: Centre, site: SiteSettings, asked: DeskCard, now_ms: int) -> CardAtDesk:
    """The card as the desk sees it."""
    kiosk, zone = read_kiosk(db, asked.kiosk_id), site.site.timezone
    cards = centre.keys.stored((asked.card,)) if asked.card else ()
    blocked = bool(cards) and block_of_card(db, cards) is not None
    usable = bool(cards) and not blocked and not (asked.short_uid and site.site.refuse_short_uids)
    left_ms = max(0, asked.until_ms - now_ms) if asked.awaits(now_ms) else 0
    return CardAtDesk(
        asked.ask_id,
        asked.kiosk_id,
        kiosk.name if kiosk else asked.kiosk_id,
        state_of(asked, now_ms),
        iso(asked.asked_ms, zone),
        None if asked.read_ms is None else iso(asked.read_ms, zone),
        left_ms / 1000,
        asked.refused,
        _holder(db, centre, asked),
        blocked,
        usable,
    )


def _holder(db: ReadTransaction, centre: Centre, asked: DeskCard) -> CardHolder | None:
    binding = binding_of_card(db, centre.keys.stored((asked.card,))) if asked.card else None
    person = read_person(db, binding.patient_id) if binding else None
    if binding is None or person is None:
        return None
    record = read_binding(db, binding.binding_id)
    label = record.source.label if record else ""
    return CardHolder(person.patient_id, person.name, person.birth_date, binding.binding_id, label)


def _told(card: CardAtDesk) -> Told:
    return told_of(card, AuditKind.LOOK_DESK, [card.holder.patient_id] if card.holder else [])


def _tell_kiosks(context: ActionContext) -> None:
    """Has the pulls that wait answered, since one of them brings the wait, or its end."""
    context.db.news.append(KiosksToTell(context.db.next_change()))
