"""The hash chain of a kiosk's actions, one an epoch: whether a batch continues it, repeats it, or does not fit."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sync.central.kiosks.intents import names_in, read_body
from sync.central.store.sqlite import ReadTransaction, WriteTransaction
from sync.protocol import NO_HASH, Opaque, PriorVerdict, Pushed, link_hash

_NOWHERE = -(2**63)  # the seq of a body that says none
TOLD_BEFORE_LOST = 3  # so often a kiosk is asked for what is missing before it counts as lost


@dataclass(frozen=True, slots=True)
class Chain:
    """How far the centre has come with one epoch of a kiosk. `told` counts how often the next seq was asked for;
    `backed_up_seq` is the last that a backup holds."""

    kiosk_id: str
    epoch: int
    last_seq: int = 0
    last_hash: str = NO_HASH
    told: int = 0
    backed_up_seq: int = 0

    @property
    def unused(self) -> bool:
        """Whether nothing has come in this epoch yet."""
        return self.last_seq == 0


@dataclass(frozen=True, slots=True)
class Link:
    """One action of a batch: its seq, its hash, and its body as it came and as JSON values (None: it is no object).

    `canonical` is what its hash is to cover; None: that cannot be told, and the hash is taken as it comes. `action_id`
    is the one that it bears, in whatever form; `held` the verdict that the kiosk had been told; `opaque`: it was sent
    as it lies on the kiosk's disk, and its hash is taken as it comes.
    """

    seq: int
    hash: str
    body: bytes
    document: dict[str, Any] | None
    canonical: bytes | None = None
    action_id: str = ""
    held: PriorVerdict | None = None
    opaque: bool = False


@dataclass(frozen=True, slots=True)
class Continues:
    """The batch fits: these links were judged before, with the id of their verdict, and these are new."""

    known: tuple[tuple[Link, str], ...]
    fresh: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """The batch begins after what the centre expects."""

    expected_seq: int


@dataclass(frozen=True, slots=True)
class Fork:
    """The batch does not continue the chain that the centre has: an edit, a clone, a disk that was set back."""


def links_of(chain: Chain, actions: Sequence[Pushed]) -> tuple[Link, ...]:
    """The links of a batch. A body that bears no seq of its own stands where it stands in the batch."""
    links = [_link(pushed) for pushed in actions]
    begin = _begin(chain, links)
    return tuple(replace(link, seq=begin + place) if link.seq == _NOWHERE else link for place, link in enumerate(links))


def fit(db: ReadTransaction, chain: Chain, links: Sequence[Link]) -> Continues | Gap | Fork:
    """How a batch fits to the chain. Nothing is written."""
    expected = chain.last_seq + 1
    if not links:
        return Continues((), ())
    if any(link.seq != links[0].seq + place for place, link in enumerate(links)):
        return Gap(expected)
    if links[0].seq > expected:
        return Gap(expected)
    if links[0].seq < 1:
        return Fork()
    known: list[tuple[Link, str]] = []
    fresh: list[Link] = []
    head = _hash_at(db, chain, links[0].seq - 1)
    for sent in links:
        chained = sent.canonical is None or link_hash(head, sent.canonical) == sent.hash
        if not chained and not sent.opaque:
            return Fork()
        link = sent if chained else replace(sent, document=None)
        head = link.hash
        if link.seq >= expected:
            fresh.append(link)
            continue
        receipt = _receipt(db, chain, link.seq)
        if receipt is None or receipt[0] != link.hash:
            return Fork()
        known.append((link, receipt[1]))
    return Continues(tuple(known), tuple(fresh))


def read_chain(db: ReadTransaction, kiosk_id: str, epoch: int) -> Chain:
    """The chain of an epoch of a kiosk; a new one where nothing of it has come."""
    row = db.row(
        "select last_seq, last_hash, told, backed_up_seq from chains where kiosk_id = :kiosk_id and epoch = :epoch",
        kiosk_id=kiosk_id,
        epoch=epoch,
    )
    return Chain(kiosk_id, epoch, *row) if row else Chain(kiosk_id, epoch)


def ask_again(db: WriteTransaction, chain: Chain) -> None:
    """Notes that the kiosk was asked for the next seq."""
    write_chain(db, replace(chain, told=chain.told + 1))


def write_chain(db: WriteTransaction, chain: Chain) -> None:
    """Writes how far the centre has come."""
    db.execute(
        "insert into chains (kiosk_id, epoch, last_seq, last_hash, told)"
        " values (:kiosk_id, :epoch, :last_seq, :last_hash, :told) on conflict (kiosk_id, epoch)"
        " do update set last_seq = excluded.last_seq, last_hash = excluded.last_hash, told = excluded.told",
        {
            "kiosk_id": chain.kiosk_id,
            "epoch": chain.epoch,
            "last_seq": chain.last_seq,
            "last_hash": chain.last_hash,
            "told": chain.told,
        },
    )


def keep_receipt(db: WriteTransaction, chain: Chain, link: Link, verdict_id: str) -> None:
    """Notes that a link was judged, and which verdict it got."""
    db.execute(
        "insert into receipts values (:kiosk_id, :epoch, :seq, :hash, :verdict_id)",
        {
            "kiosk_id": chain.kiosk_id,
            "epoch": chain.epoch,
            "seq": link.seq,
            "hash": link.hash,
            "verdict_id": verdict_id,
        },
    )


def _link(pushed: Pushed) -> Link:
    if pushed.opaque is not None:
        return _opaque(pushed.hash, pushed.opaque)
    raw = bytes(pushed.body)
    found = read_body(raw)
    document, canonical = (found.document, found.canonical) if found else (None, None)
    names = names_in(raw)
    seq = _NOWHERE if names.place is None else names.place
    return Link(seq, pushed.hash, raw, document, canonical, names.id, pushed.held)


def _opaque(digest: str, sent: Opaque) -> Link:
    """A record as it lies on a disk. What it says counts where it is the action that it is sent as, and what was
    chained: a byte that flipped there may have made it another patient's."""
    try:
        body = base64.b64decode(sent.body, validate=True)
    except ValueError:
        body = sent.body.encode()
    found = read_body(body)
    document = found.document if found else None
    its_own = document is not None and (document.get("seq"), document.get("action_id")) == (sent.seq, sent.action_id)
    said, canonical = (document, found.canonical) if found and its_own else (None, None)
    return Link(sent.seq, digest, body, said, canonical, sent.action_id, opaque=True)


def _begin(chain: Chain, links: Sequence[Link]) -> int:
    """The seq of the first of a batch: by the first that says its own, or by the one that the chain ends with, which
    was sent before; else it is the next."""
    for place, link in enumerate(links):
        if link.seq != _NOWHERE:
            return link.seq - place
        if link.hash == chain.last_hash:
            return chain.last_seq - place
    return chain.last_seq + 1


def _hash_at(db: ReadTransaction, chain: Chain, seq: int) -> str:
    if seq == chain.last_seq:
        return chain.last_hash
    receipt = _receipt(db, chain, seq)
    return receipt[0] if receipt else NO_HASH


def _receipt(db: ReadTransaction, chain: Chain, seq: int) -> tuple[str, str] | None:
    row = db.row(
        "select hash, verdict_id from receipts where kiosk_id = :kiosk_id and epoch = :epoch and seq = :seq",
        kiosk_id=chain.kiosk_id,
        epoch=chain.epoch,
        seq=seq,
    )
    return (row["hash"], row["verdict_id"]) if row else None
