"""The tokens of visits. A kiosk makes the secret, and the verdict on its action opens the visit to that secret.

The rows are those of `tokens`. A token of a visit is valid while its patient is on that visit, and renews nothing.
"""

from sync.central.records.effects import Period
from sync.central.store.news import TokenRevoked
from sync.central.store.transactions import WriteTransaction, Writing
from sync.clock import DAY_MS
from sync.journey.model import Role

MOST_TRIES = 5
KEPT_MS = 7 * DAY_MS  # after the making; for so long an app that comes back is told that its visit has ended


def open_visit(
    db: WriteTransaction, token_hash: str, action_id: str, patient_id: str, visit_id: str, now_ms: int
) -> None:
    """Opens a visit to the secret with this hash, as the action says. A hash that another token has changes nothing."""
    row = _row(token_hash, action_id, now_ms)
    db.write(_ADD, {**row, "patient_id": patient_id, "visit_id": visit_id})


def refuse_visit(db: WriteTransaction, token_hash: str, action_id: str, now_ms: int) -> None:
    """Ends the token of a visit, or notes that there will be none, since the action does not count."""
    db.write(_ADD, {**_row(token_hash, action_id, now_ms), "revoked_ms": now_ms})
    db.news.append(TokenRevoked(token_hash))


def end_visits_of_kiosk(db: WriteTransaction, period: Period, now_ms: int) -> None:
    """Ends the tokens of visits whose secrets a kiosk has made in a period: its thief may have them."""
    rows = db.rows(
        "select token_hash from tokens where revoked_ms is null and action_id in"
        " (select verdict_id from verdicts where kiosk_id = :kiosk_id and recorded_ms >= :since_ms"
        " and (cast(:until_ms as bigint) is null or recorded_ms <= :until_ms))",
        kiosk_id=period.kiosk_id,
        since_ms=period.since_ms,
        until_ms=period.until_ms,
    )
    for row in rows:
        db.execute(
            "update tokens set revoked_ms = :now_ms where token_hash = :token_hash",
            {"now_ms": now_ms, "token_hash": row["token_hash"]},
        )
        db.news.append(TokenRevoked(row["token_hash"]))


def move_visit_tokens(db: WriteTransaction, former: str, visit_id: str) -> None:
    """Moves the tokens of a visit to another visit of the same person."""
    db.execute(
        "update tokens set visit_id = :visit_id where visit_id = :former", {"visit_id": visit_id, "former": former}
    )


def take_try(db: WriteTransaction, token_hash: str) -> bool:
    """Counts a wrong birth date before it is known to be wrong. False where there were too many."""
    taken = db.execute(
        "update tokens set wrong_tries = wrong_tries + 1 where token_hash = :token_hash and wrong_tries < :most",
        {"token_hash": token_hash, "most": MOST_TRIES},
    )
    return bool(taken.rowcount)


def give_try_back(db: WriteTransaction, token_hash: str) -> None:
    """Counts the last try no longer: the birth date was right."""
    db.execute(
        "update tokens set wrong_tries = wrong_tries - 1 where token_hash = :token_hash", {"token_hash": token_hash}
    )


def delete_old_visit_tokens(db: WriteTransaction, now_ms: int) -> None:
    """Deletes the tokens of visits that were made a week ago, but for those of a visit that is under way."""
    db.execute(
        "delete from tokens where role = :role and created_ms < :before_ms and not exists (select 1 from journeys j"
        " where j.patient_id = tokens.patient_id and j.visit_id = tokens.visit_id)",
        {"role": Role.VISIT.value, "before_ms": now_ms - KEPT_MS},
    )


def _row(token_hash: str, action_id: str, now_ms: int) -> dict[str, object]:
    return {
        "token_hash": token_hash,
        "role": Role.VISIT.value,
        "patient_id": None,
        "now_ms": now_ms,
        "revoked_ms": None,
        "visit_id": None,
        "action_id": action_id,
    }


_ADD = Writing(
    "insert into tokens values (:token_hash, :role, :patient_id, null, '', :now_ms, null, null, :revoked_ms, null,"
    " null, :visit_id, :action_id, 0, null, null, null, null)"
    " on conflict (token_hash) do update set revoked_ms = excluded.revoked_ms,"
    " patient_id = coalesce(excluded.patient_id, tokens.patient_id),"
    " visit_id = coalesce(excluded.visit_id, tokens.visit_id) where tokens.action_id = excluded.action_id"
)
