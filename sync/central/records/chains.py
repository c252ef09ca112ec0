"""The hash chains of the kiosks as rows, one chain an epoch, and the receipts of the actions in each."""

from dataclasses import dataclass

import msgspec

from sync.central.store.transactions import ReadTransaction, WriteTransaction, Writing
from sync.protocol import NO_HASH


@dataclass(frozen=True, slots=True)
class Chain:
    """The state of one epoch of a kiosk. `times_asked` counts how often in a row the next seq was asked for.

    `backed_up_seq` is the last seq that a verified backup holds.
    """

    kiosk_id: str
    epoch: int
    last_seq: int = 0
    last_hash: str = NO_HASH
    times_asked: int = 0
    backed_up_seq: int = 0

    @property
    def unused(self) -> bool:
        """Whether no action has come in this epoch yet."""
        return self.last_seq == 0


class Receipt(msgspec.Struct, frozen=True):
    """The receipt of one seq from an earlier push: its hash in the chain, and the id of its verdict."""

    hash: str
    verdict_id: str


def read_chain(db: ReadTransaction, kiosk_id: str, epoch: int) -> Chain:
    """The chain of a kiosk's epoch; an empty one where no action of that epoch has come."""
    row = db.row(
        "select last_seq, last_hash, times_asked, backed_up_seq from chains"
        " where kiosk_id = :kiosk_id and epoch = :epoch",
        kiosk_id=kiosk_id,
        epoch=epoch,
    )
    return Chain(kiosk_id, epoch, *row) if row else Chain(kiosk_id, epoch)


def write_chain(db: WriteTransaction, chain: Chain) -> None:
    """Writes the state of a chain. The part about its backups stays as it is."""
    db.execute(
        "insert into chains values (:kiosk_id, :epoch, :last_seq, :last_hash, :times_asked, 0)"
        " on conflict (kiosk_id, epoch) do update set last_seq = excluded.last_seq, last_hash = excluded.last_hash,"
        " times_asked = excluded.times_asked",
        {
            "kiosk_id": chain.kiosk_id,
            "epoch": chain.epoch,
            "last_seq": chain.last_seq,
            "last_hash": chain.last_hash,
            "times_asked": chain.times_asked,
        },
    )


def note_backed_up(db: WriteTransaction, chain: Chain) -> None:
    """Records that a verified backup holds a chain up to its `last_seq`. A lower seq changes nothing."""
    db.execute(
        "update chains set backed_up_seq = :last_seq"
        " where kiosk_id = :kiosk_id and epoch = :epoch and backed_up_seq < :last_seq",
        {"kiosk_id": chain.kiosk_id, "epoch": chain.epoch, "last_seq": chain.last_seq},
    )


def read_receipt(db: ReadTransaction, chain: Chain, seq: int) -> Receipt | None:
    """The receipt of a seq of a chain, or None."""
    row = db.row(
        "select hash, verdict_id from receipts where kiosk_id = :kiosk_id and epoch = :epoch and seq = :seq",
        kiosk_id=chain.kiosk_id,
        epoch=chain.epoch,
        seq=seq,
    )
    return Receipt(row["hash"], row["verdict_id"]) if row else None


def put_receipt(db: WriteTransaction, chain: Chain, seq: int, receipt: Receipt) -> None:
    """Records that the action at a seq of a chain was judged, in place of an earlier record."""
    db.write(
        _PUT_RECEIPT,
        {
            "kiosk_id": chain.kiosk_id,
            "epoch": chain.epoch,
            "seq": seq,
            "hash": receipt.hash,
            "verdict_id": receipt.verdict_id,
        },
    )


_PUT_RECEIPT = Writing(
    "insert into receipts values (:kiosk_id, :epoch, :seq, :hash, :verdict_id)"
    " on conflict (kiosk_id, epoch, seq) do update set hash = excluded.hash, verdict_id = excluded.verdict_id"
)
