"""The tokens of a kiosk as rows: the present one, a newer one that was not used yet, and those that were replaced.

The first use of a newer token replaces the former ones. The hashes of replaced and revoked tokens stay for good, so
that their use is recognised.
"""

from dataclasses import dataclass

from sync.central.records.tokens import OVERLAP_MS
from sync.central.store.connection import Row
from sync.central.store.news import TokenRevoked
from sync.central.store.transactions import ReadTransaction, WriteTransaction


@dataclass(frozen=True, slots=True)
class KioskToken:
    """A token of a kiosk by its hash. Times are UTC ms.

    - `used_ms`: a use within a day of the last one; None before the first use.
    - `revoked_ms`: None for the token of a kiosk that goes on.
    - `replaced_ms`: the first use of a newer token; None where there was none.
    """

    token_hash: str
    kiosk_id: str
    created_ms: int
    used_ms: int | None
    revoked_ms: int | None
    replaced_ms: int | None


@dataclass(frozen=True, slots=True)
class KioskTokens:
    """The tokens of a kiosk that is not revoked.

    `newer` was made and not used yet, `former` was replaced last. Each is None where there is none.
    """

    present: KioskToken
    newer: KioskToken | None = None
    former: KioskToken | None = None

    def former_until_ms(self, now_ms: int) -> int | None:
        """Until when the former token is valid (UTC ms); None where it is not valid any more."""
        replaced_ms = self.former.replaced_ms if self.former else None
        if replaced_ms is None or abs(now_ms - replaced_ms) >= OVERLAP_MS:
            return None
        return replaced_ms + OVERLAP_MS


def kiosk_token_of(db: ReadTransaction, token_hash: str) -> KioskToken | None:
    """The kiosk's token with this hash, valid or not; None for an unknown hash, and for a token of no kiosk."""
    row = db.row(
        f"select {_COLUMNS} from tokens where token_hash = :token_hash and kiosk_id is not null",  # noqa: S608
        token_hash=token_hash,
    )
    return KioskToken(*row) if row else None


def tokens_of_kiosk(db: ReadTransaction, kiosk_id: str) -> KioskTokens | None:
    """The tokens of a kiosk; None for an unknown kiosk and for a revoked one."""
    # A used token comes before one that was not used yet. That one is the present one right after the enrolment.
    rows = db.rows(
        f"select {_COLUMNS} from tokens"  # noqa: S608
        " where kiosk_id = :kiosk_id and revoked_ms is null and replaced_ms is null"
        " order by case when used_ms is null then 1 else 0 end, created_ms, token_hash",
        kiosk_id=kiosk_id,
    )
    if not rows:
        return None
    former = db.row(
        f"select {_COLUMNS} from tokens"  # noqa: S608
        " where kiosk_id = :kiosk_id and revoked_ms is null and replaced_ms is not null"
        " order by replaced_ms desc, token_hash limit 1",
        kiosk_id=kiosk_id,
    )
    present, newer = (_token(rows, place) for place in (0, 1))
    assert present is not None
    return KioskTokens(present, newer, KioskToken(*former) if former else None)


def delete_unused(db: WriteTransaction, kiosk_id: str, but: str) -> None:
    """Deletes the tokens of a kiosk that were never used, except the one with the hash `but`."""
    db.execute(
        "delete from tokens where kiosk_id = :kiosk_id and token_hash <> :but and used_ms is null"
        " and revoked_ms is null and replaced_ms is null",
        {"kiosk_id": kiosk_id, "but": but},
    )


def replace_others(db: WriteTransaction, kiosk_id: str, by: str, now_ms: int) -> bool:
    """Replaces the valid tokens of a kiosk by the one with the hash `by`. Returns whether there were others."""
    replaced = db.execute(
        "update tokens set replaced_ms = :now_ms where kiosk_id = :kiosk_id and token_hash <> :by"
        " and revoked_ms is null and replaced_ms is null",
        {"kiosk_id": kiosk_id, "by": by, "now_ms": now_ms},
    )
    return replaced.rowcount > 0


def revoke_tokens(db: WriteTransaction, kiosk_id: str, now_ms: int) -> None:
    """Revokes all tokens of a kiosk, the replaced ones too: a copy of its disk must be told that it has ended."""
    rows = db.rows("select token_hash from tokens where kiosk_id = :kiosk_id and revoked_ms is null", kiosk_id=kiosk_id)
    db.execute(
        "update tokens set revoked_ms = :now_ms where kiosk_id = :kiosk_id and revoked_ms is null",
        {"kiosk_id": kiosk_id, "now_ms": now_ms},
    )
    db.news.extend(TokenRevoked(row["token_hash"]) for row in rows)


_COLUMNS = "token_hash, kiosk_id, created_ms, used_ms, revoked_ms, replaced_ms"


def _token(rows: list[Row], place: int) -> KioskToken | None:
    return KioskToken(*rows[place]) if place < len(rows) else None
