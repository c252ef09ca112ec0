"""The links of a pushed batch, and how they fit the kiosk's hash chain: as new, as repeats, or not at all."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from sync.central.kiosks.intents import UnreadableIntent, claimed_identity, identity_in, read_body, read_intent
from sync.central.records.chains import Chain, read_receipt
from sync.central.store.transactions import ReadTransaction
from sync.protocol import NO_HASH, Intent, Opaque, PriorVerdict, Pushed, link_hash

_NO_SEQ = -(2**63)  # the seq of a body that names none


class Link(msgspec.Struct, frozen=True):
    """One action of a batch: its seq, its hash, and its body as it came and as JSON values (None: no JSON object).

    - `intent`: the intent in the body, or why there is none that can be judged.
    - `canonical`: the bytes that the hash must cover; None where they are unknown, and the hash is not checked.
    - `action_id`: the id that the body names, in any form.
    - `prior_verdict`: the verdict that the kiosk got before the centre was restored.
    - `opaque`: the record was sent as stored on the kiosk's disk, where it may be damaged. Its hash is not checked.
    """

    seq: int
    hash: str
    body: bytes
    document: dict[str, Any] | None
    intent: Intent | UnreadableIntent
    canonical: bytes | None = None
    action_id: str = ""
    prior_verdict: PriorVerdict | None = None
    opaque: bool = False


class Repeat(msgspec.Struct, frozen=True):
    """A link that was judged before, and the id of its verdict."""

    link: Link
    verdict_id: str


@dataclass(frozen=True, slots=True)
class Continues:
    """The batch fits: links that were judged before, and new links."""

    repeats: tuple[Repeat, ...]
    fresh: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """The batch begins after the seq that the centre expects."""

    expected_seq: int


@dataclass(frozen=True, slots=True)
class Fork:
    """The batch does not continue the centre's chain: an edit, a clone, or a disk that was set back."""


def links_of(chain: Chain, actions: Sequence[Pushed]) -> tuple[Link, ...]:
    """The links of a batch. A body without a seq gets the seq of its place in the batch."""
    links = [_link(pushed) for pushed in actions]
    begin = _begin(chain, links)
    return tuple(replace(link, seq=begin + place) if link.seq == _NO_SEQ else link for place, link in enumerate(links))


def fit(db: ReadTransaction, chain: Chain, links: Sequence[Link]) -> Continues | Gap | Fork:
    """How a batch fits the chain. Writes nothing."""
    expected = chain.last_seq + 1
    if not links:
        return Continues((), ())
    begin = links[0].seq
    if begin > expected or any(link.seq != begin + place for place, link in enumerate(links)):
        return Gap(expected)
    chained = _chained(_hash_at(db, chain, begin - 1), links) if begin >= 1 else None
    if chained is None:
        return Fork()
    repeats = _repeats(db, chain, [link for link in chained if link.seq < expected])
    if repeats is None:
        return Fork()
    return Continues(repeats, tuple(link for link in chained if link.seq >= expected))


def _chained(head: str, links: Sequence[Link]) -> list[Link] | None:
    """The links after the hash `head`; None where one of them does not follow from the one before it.

    An opaque record that does not follow keeps its place in the chain, but its body does not count.
    """
    chained = []
    for link in links:
        follows = link.canonical is None or link_hash(head, link.canonical) == link.hash
        if not follows and not link.opaque:
            return None
        chained.append(link if follows else replace(link, document=None, intent=read_intent(None)))
        head = link.hash
    return chained


def _repeats(db: ReadTransaction, chain: Chain, links: Sequence[Link]) -> tuple[Repeat, ...] | None:
    """The links that came in an earlier batch, each with its verdict; None where a receipt names another action."""
    repeats = []
    for link in links:
        receipt = read_receipt(db, chain, link.seq)
        if receipt is None or receipt.hash != link.hash:
            return None
        repeats.append(Repeat(link, receipt.verdict_id))
    return tuple(repeats)


def _link(pushed: Pushed) -> Link:
    if pushed.opaque is not None:
        return _opaque_link(pushed, pushed.opaque)
    raw = bytes(pushed.body)
    body = read_body(raw)
    document, canonical = (body.document, body.canonical) if body else (None, None)
    claimed = claimed_identity(raw) if document is None else identity_in(document)
    seq = _NO_SEQ if claimed.place is None else claimed.place
    return Link(seq, pushed.hash, raw, document, read_intent(document), canonical, claimed.id, pushed.held)


def _opaque_link(pushed: Pushed, sent: Opaque) -> Link:
    """A record as stored on a disk.

    Its content counts only where it names the action that it was sent as, and where the hash covers it. A bit that
    flipped on the disk may have made it another patient's action. One that the kiosk can read is a link like any other:
    where its hash does not follow, the chain has forked.
    """
    try:
        raw = base64.b64decode(sent.body, validate=True)
    except ValueError:
        raw = sent.body.encode()
    body = read_body(raw)
    document = body.document if body else None
    is_sent_action = document is not None and (document.get("seq"), document.get("action_id")) == (
        sent.seq,
        sent.action_id,
    )
    content, canonical = (document, body.canonical) if body and is_sent_action else (None, None)
    is_opaque = not (sent.readable and is_sent_action)
    intent = read_intent(content)
    return Link(sent.seq, pushed.hash, raw, content, intent, canonical, sent.action_id, pushed.held, is_opaque)


def _begin(chain: Chain, links: Sequence[Link]) -> int:
    """The seq of the first link of a batch.

    It follows from the first link that names its seq, or from a repeat of the chain's last link. Without either, the
    batch begins with the next seq.
    """
    for place, link in enumerate(links):
        if link.seq != _NO_SEQ:
            return link.seq - place
        if link.hash == chain.last_hash:
            return chain.last_seq - place
    return chain.last_seq + 1


def _hash_at(db: ReadTransaction, chain: Chain, seq: int) -> str:
    if seq == chain.last_seq:
        return chain.last_hash
    receipt = read_receipt(db, chain, seq)
    return receipt.hash if receipt else NO_HASH
