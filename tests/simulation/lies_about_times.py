"""Lies about when an action happened, and about what the kiosk has."""

from __future__ import annotations

from sync.protocol import canonical, chain_hash
from tests.simulation.liar import KIOSK_ID, Json, Liar

MINUTE = 60_000
HOUR = 60 * MINUTE


def false_times(liar: Liar) -> None:
    """An arrival of now, dated back to the morning or ahead, by any of its clocks or by the reading at sending."""
    liar.catch_up()
    clock, now = liar.clock(), liar.clock()
    by = liar.chance.choice((-24 * HOUR, -3 * HOUR, -HOUR, -20 * MINUTE, -5 * MINUTE, HOUR, 24 * HOUR))
    how = liar.chance.randrange(5)
    if how == 0:
        clock |= {"wall_ms": clock["wall_ms"] + by, "boot_id": liar.world.new_id()}
    elif how == 1:
        clock |= {"mono_ms": clock["mono_ms"] + by}
    elif how == 2:
        now |= {"mono_ms": now["mono_ms"] - by, "wall_ms": now["wall_ms"] - by}
    elif how == 3:
        clock |= {"wall_ms": -(2**53) + 1, "mono_ms": 2**53 - 1, "boot_id": "x" * 100}
        now |= {"mono_ms": -(2**62)}
    else:
        clock |= {"wall_ms": clock["wall_ms"] + by, "boot_id": liar.world.new_id(), "synchronised": False}
    liar.push(liar.action(clock=clock), now=now)


def _backlog(liar: Liar) -> Json:
    return {"waiting": 1, "oldest": liar.chance.randrange(9), "age_ms": liar.chance.choice((0, HOUR, 2**60, -5))}


def false_seqs(liar: Liar) -> None:
    """Pulls that tell of actions that are not there, or of none where there are some."""
    ahead = liar.seq + liar.chance.choice((1, 2, 3, 50, 10**9))
    liar.pull(last_seq=ahead, backlog=liar.chance.choice((None, _backlog(liar))))
    if liar.chance.random() < 0.3:
        liar.pull(last_seq=liar.chance.choice((0, -1, -(2**70), 2**70)), backlog=_backlog(liar))


def tells_once_and_dates_back(liar: Liar) -> None:
    """A large seq is told once. Some pulls later that tell of nothing, an action is dated back to that moment."""
    liar.catch_up()
    liar.pull(last_seq=liar.seq + 10, chain_hash="00" * 32, backlog=_backlog(liar))
    told_ms = liar.world.now_ms
    nothing: Json = liar.chance.choice(({}, {"last_seq": liar.seq + 10}))
    for _ in range(3):
        liar.world.now_ms += 3 * MINUTE
        liar.pull(sealed=liar.chance.random() < 0.5, **nothing)
        liar.push()
    clock = liar.clock() | {"wall_ms": told_ms, "boot_id": liar.world.new_id()}
    liar.push(liar.action(clock=clock))


def rewrites(liar: Liar) -> None:
    """An action is told of, pulls go on to tell of it, and another one comes in its place."""
    liar.catch_up()
    end = chain_hash(liar.hashes[liar.seq], canonical(liar.action()))
    told_ms = liar.world.now_ms
    end = liar.chance.choice((end, end, ""))
    for _ in range(3):
        liar.pull(last_seq=liar.seq + 1, chain_hash=end, backlog=_backlog(liar))
        liar.world.now_ms += 3 * MINUTE
    clock = liar.clock() | {"wall_ms": told_ms, "boot_id": liar.world.new_id()}
    liar.told_of_another()
    liar.push(liar.action(clock=clock))


def fills_the_rows(liar: Liar) -> None:
    """Tells of more and more actions, so that the centre has to keep a row for each."""
    for ahead in range(1, 300):
        backlog = {"waiting": ahead, "oldest": 1, "age_ms": HOUR}
        liar.pull(adopt=False, look=ahead % 50 == 1, last_seq=liar.seq + ahead, backlog=backlog)
    with liar.world.centre.store.read() as db:
        rows = db.value("select count(*) from told_seqs where kiosk_id = :id", id=KIOSK_ID)
    assert rows <= 256, f"{rows} rows of one kiosk"


def hides_behind_pushes(liar: Liar) -> None:
    """Pulls that say that no answer came, each after a push, so that the kiosk was seen just now."""
    liar.catch_up()
    began_ms = liar.world.now_ms
    for _ in range(6):
        liar.world.now_ms += MINUTE - 5_000
        liar.push()
        liar.pull(sealed=True)
    liar.push(liar.action(clock=liar.clock() | {"wall_ms": began_ms, "boot_id": liar.world.new_id()}))


def lies_about_its_backlog(liar: Liar) -> None:
    """Any numbers of waiting actions."""
    for number in (0, -1, 2**53, 2**63, 2**80):
        liar.pull(backlog={"waiting": number, "oldest": number, "age_ms": number, "parked": liar.chance.choice((0, 1))})
