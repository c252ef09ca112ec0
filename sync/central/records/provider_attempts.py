"""Sign-ins that are under way at a provider of single sign-on. Each counts once, and for ten minutes."""

import msgspec

from sync.central.store.transactions import WriteTransaction

LIFE_MS = 10 * 60_000
MOST = 2_000


class ProviderAttempt(msgspec.Struct, frozen=True):
    """A sign-in under way. `state_hash` is that of what the browser's cookie holds; `next` the page that was wanted."""

    state_hash: str
    nonce: str
    verifier: str
    next: str
    begun_ms: int


def add_attempt(db: WriteTransaction, attempt: ProviderAttempt) -> None:
    """Stores one, and deletes those that are too old, and the oldest where there are too many."""
    db.execute("delete from provider_attempts where begun_ms < :ms", {"ms": attempt.begun_ms - LIFE_MS})
    db.execute(
        "delete from provider_attempts where state_hash in (select state_hash from provider_attempts"
        " order by begun_ms desc, state_hash limit 1000000 offset :most)",
        {"most": MOST},
    )
    db.execute(
        "insert into provider_attempts values (:state_hash, :nonce, :verifier, :next, :begun_ms)",
        msgspec.structs.asdict(attempt),
    )


def take_attempt(db: WriteTransaction, state_hash: str, now_ms: int) -> ProviderAttempt | None:
    """Removes and returns one; None where there is none, or it is too old."""
    row = db.row("select * from provider_attempts where state_hash = :state_hash", state_hash=state_hash)
    if row is None:
        return None
    db.execute("delete from provider_attempts where state_hash = :state_hash", {"state_hash": state_hash})
    found = ProviderAttempt(**dict(row))
    return found if now_ms - found.begun_ms < LIFE_MS else None
