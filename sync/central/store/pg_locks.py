"""The locks by which the services of one database of PostgreSQL keep out of each other's way, as SQL.

They are advisory locks (PostgreSQL, 13.3.5), under numbers that no other program is likely to use.

- SERVICE: each service holds it shared, in its session and in each transaction that writes. Who has it alone, such as a
  restore, keeps all services out.
- WRITERS: a transaction that writes holds it alone, or shared where it goes on beside others that do.
- BACKGROUND: the service that does the background work of all.
- HERE, HOST: each service's session holds the first one shared, and that of a host's main worker the second one too.
  Nobody has them alone: their holders are counted.
"""

_SERVICE, _WRITERS, _BACKGROUND, _HERE, _HOST = (0x6E66632D6B696F73 + number for number in range(5))  # "nfc-kios"

CHANNEL = "nfc_kiosk"  # of the news

# Each gives whether the lock was free.
JOIN = f"select pg_try_advisory_lock_shared({_SERVICE}) and pg_try_advisory_lock_shared({_HERE})"
JOIN_AS_HOST = f"{JOIN} and pg_try_advisory_lock_shared({_HOST})"
ALONE = f"select pg_try_advisory_lock({_SERVICE})"
NO_LONGER_ALONE = f"select pg_advisory_unlock({_SERVICE})"
BACKGROUND = f"select pg_try_advisory_lock({_BACKGROUND})"
NONE = "select pg_advisory_unlock_all()"


def _held_by_others(lock: int) -> str:
    """The number of other sessions that hold a lock."""
    return (
        "select count(*) from pg_locks where locktype = 'advisory' and granted and pid <> pg_backend_pid()"  # noqa: S608
        " and database = (select oid from pg_database where datname = current_database())"
        f" and classid::bigint = {lock >> 32} and objid::bigint = {lock & 0xFFFFFFFF} and objsubid = 1"
    )


OTHERS, OTHER_HOSTS = _held_by_others(_HERE), _held_by_others(_HOST)

# What a transaction that writes waits for: others that are alone, and the writers before it.
_IN_TURN = f"pg_advisory_xact_lock({_WRITERS})"
_BESIDE = f"pg_advisory_xact_lock_shared({_WRITERS})"
_AS_SERVICE = f"pg_advisory_xact_lock_shared({_SERVICE})"


def waits(*, beside: bool, alone: bool) -> str:
    """The statement by which a transaction that writes waits its turn, or goes on `beside` others that do so too.

    `alone`: the service itself keeps the others out.
    """
    return f"select {', '.join(([] if alone else [_AS_SERVICE]) + [_BESIDE if beside else _IN_TURN])}"
