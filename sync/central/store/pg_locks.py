"""The locks by which the services of one database of PostgreSQL keep out of each other's way, as SQL.

They are advisory locks (PostgreSQL, 13.3.5), under numbers that no other program is likely to use.

- SERVICE: each service holds it shared, in its session and in each transaction that writes. Who has it alone, such as a
  restore, keeps all services out.
- WRITERS: a transaction that writes holds it alone, or shared where it goes on beside others that do.
- BACKGROUND: the service that does the background work of all.
- HOST: the session of each host's main worker holds it shared, and nobody alone: its holders are counted.
"""

_SERVICE, _WRITERS, _BACKGROUND, _HOST = (0x6E66632D6B696F73 + number for number in range(4))  # "nfc-kios"

CHANNEL = "nfc_kiosk"  # of the news

# Each gives whether the lock was free.
JOIN = f"select pg_try_advisory_lock_shared({_SERVICE})"
JOIN_AS_HOST = f"{JOIN} and pg_try_advisory_lock_shared({_HOST})"
ALONE = f"select pg_try_advisory_lock({_SERVICE})"
NO_LONGER_ALONE = f"select pg_advisory_unlock({_SERVICE})"
BACKGROUND = f"select pg_try_advisory_lock({_BACKGROUND})"
NONE = "select pg_advisory_unlock_all()"

# The number of other hosts.
OTHER_HOSTS = (
    "select count(*) from pg_locks where locktype = 'advisory' and granted and pid <> pg_backend_pid()"  # noqa: S608
    " and database = (select oid from pg_database where datname = current_database())"
    f" and classid::bigint = {_HOST >> 32} and objid::bigint = {_HOST & 0xFFFFFFFF} and objsubid = 1"
)

# What a transaction that writes waits for: others that are alone, and the writers before it.
_IN_TURN = f"pg_advisory_xact_lock({_WRITERS})"
_BESIDE = f"pg_advisory_xact_lock_shared({_WRITERS})"
_AS_SERVICE = f"pg_advisory_xact_lock_shared({_SERVICE})"


def waits(*, beside: bool, alone: bool) -> str:
    """The statement by which a transaction that writes waits its turn, or goes on `beside` others that do so too.

    `alone`: the service itself keeps the others out.
    """
    return f"select {', '.join(([] if alone else [_AS_SERVICE]) + [_BESIDE if beside else _IN_TURN])}"
