"""Queue numbers that the centre gives: a prefix and a count of the day, like "C-001"."""

from sync.central.store.transactions import WriteTransaction
from sync.journey.queue_numbers import queue_number


def next_queue_number(db: WriteTransaction, prefix: str, day: str) -> str:
    """Takes the next queue number under a prefix on a day of the site."""
    used = db.value(
        "insert into queue_numbers values (:day, :prefix, 1)"
        " on conflict (site_day, prefix) do update set used = queue_numbers.used + 1 returning used",
        day=day,
        prefix=prefix,
    )
    return queue_number(prefix, used)


def skip_queue_numbers(db: WriteTransaction, prefix: str, day: str, used: int) -> None:
    """Skips the numbers up to `used` under a prefix on a day; later numbers follow the highest of both."""
    db.execute(
        "insert into queue_numbers values (:day, :prefix, :used) on conflict (site_day, prefix) do update"
        " set used = case when queue_numbers.used > excluded.used then queue_numbers.used else excluded.used end",
        {"day": day, "prefix": prefix, "used": used},
    )
