"""What the chain of the access log computes: the digest of a row, of a block, and the seal of a key. Pure.

docs/access-log.md says the same for a program of an auditor.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

COLUMNS = ("audit_id", "at_ms", "who", "kind", "patient_id", "action_id", "detail", "counts_until_ms")
BEGINNING = "0" * 64  # the digest before the first block


class LogKey(msgspec.Struct, frozen=True):
    """A key that seals blocks: 32 bytes in hex, with its id. A key that is lost has no secret."""

    key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"LogKey({self.key_id})"

    def seal(self, text: str) -> str:
        """The seal of a text."""
        return hmac.digest(bytes.fromhex(self.secret), text.encode(), "sha256").hex()

    def has_sealed(self, text: str, seal: str) -> bool:
        """Whether a seal is this key's. What a key that is lost has sealed is taken on trust."""
        return not self.secret or hmac.compare_digest(self.seal(text).encode(), seal.encode())


class Block(msgspec.Struct, frozen=True):
    """A block of the chain, with the columns of its row."""

    block: int
    sealed_ms: int
    rows_sealed: int
    first_id: str
    last_id: str
    leaves: str
    previous: str
    digest: str
    key_id: str
    seal: str

    def own_digest(self) -> str:
        """The digest that its other columns give."""
        head = [self.block, self.sealed_ms, self.rows_sealed, self.first_id, self.last_id, self.previous]
        return hashlib.sha256(msgspec.json.encode(head) + b"\n" + self.leaves.encode()).hexdigest()


def row_digest(row: Sequence[Any]) -> str:
    """The digest of a row: the values of `COLUMNS` in their order."""
    return hashlib.sha256(msgspec.json.encode(row)).hexdigest()


def leaves_of(rows: Iterable[Sequence[Any]]) -> str:
    """The lines of a block for its rows, which are in the order of their ids."""
    return "".join(f"{row[0]} {row_digest(row)}\n" for row in rows)


def read_leaves(leaves: str) -> dict[str, str]:
    """The digests of a block's rows, by their ids. A line of another form counts as no row."""
    lines = (line.partition(" ") for line in leaves.split("\n"))
    return {audit_id: digest for audit_id, space, digest in lines if space}


def make_block(number: int, previous: str, rows: Sequence[Sequence[Any]], sealed_ms: int, key: LogKey) -> Block:
    """The block after the one with the digest `previous`, of rows in the order of their ids."""
    leaves = leaves_of(rows)
    bare = Block(number, sealed_ms, len(rows), rows[0][0], rows[-1][0], leaves, previous, "", key.key_id, "")
    digest = bare.own_digest()
    return msgspec.structs.replace(bare, digest=digest, seal=key.seal(digest))


def anchored(block: int, digest: str) -> str:
    """The text that the seal of an anchor is about."""
    return f"deleted to {block} {digest}"
