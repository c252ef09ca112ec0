"""Lies in the form of a message: places in a chain, epochs, cursors, records of any shape."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from sync.central.kiosks.cursors import cursor_mac
from sync.central.records.standings import read_standings
from sync.protocol import MAX_BATCH, NO_HASH, canonical, chain_hash
from tests.simulation.liar import KIOSK_ID, LOOKUP, PULL, PUSH, Json, Liar


def unread(liar: Liar) -> None:
    """Records that cannot be read, with ids of its own and of others, and hashes that are made up."""
    body = canonical(liar.action())
    rows = liar.world.centre.rows("select verdict_id from verdicts order by verdict_id")
    action_id = liar.chance.choice([row[0] for row in rows] or [""])
    named = liar.chance.choice((action_id, "", "no id", liar.world.new_id()))
    content = liar.chance.choice((base64.b64encode(body).decode(), "%%%", base64.b64encode(b"\x00" * 999).decode()))
    opaque = {"seq": liar.seq + 1, "action_id": named, "body": content}
    head = liar.chance.choice((chain_hash(liar.hashes[liar.seq], body), "made up", NO_HASH))
    liar.send([{"hash": head, "body": None, "opaque": opaque}])


def another_place(liar: Liar) -> None:
    """A body that names another kiosk, epoch or site than those of its chain."""
    lies: tuple[Json, ...] = (
        {"kiosk_id": "kiosk-A"},
        {"epoch": liar.epoch + 1},
        {"epoch": 2**80},
        {"site_id": liar.world.new_id()},
        {"site_id": ""},
    )
    liar.refused(liar.action(**liar.chance.choice(lies)))


def another_sender(liar: Liar) -> None:
    """A message in the name of another kiosk or of another site."""
    lies: Json = liar.chance.choice(
        ({"kiosk_id": "kiosk-A"}, {"site_id": liar.world.new_id()}, {"protocol_version": 9})
    )
    assert "code" in liar.push(liar.action(), **lies)
    assert "code" in liar.pull(adopt=False, **lies)


def epochs(liar: Liar) -> None:
    """Epochs of any number."""
    epoch = liar.chance.choice((liar.epoch + 1, 0, -1, 2**40, 2**62, 2**63, 2**80, liar.epoch - 1))
    body = liar.action(epoch=epoch)
    liar.push(body, epoch=epoch)
    liar.pull(adopt=False, epoch=epoch)


def forks_and_gaps(liar: Liar) -> None:
    """Another chain, actions after a gap, and places that are none."""
    body = liar.action()
    which = liar.chance.randrange(3)
    if which == 0:
        liar.send([{"hash": "ab" * 32, "body": body}])
    elif which == 1:
        for _ in range(liar.chance.randrange(1, 6)):
            liar.send([{"hash": "ab" * 32, "body": {**body, "seq": liar.seq + 7}}])
    else:
        seq = liar.chance.choice((0, -3, 2**62, 2**70, "one", None, 1.5))
        liar.send([{"hash": "ab" * 32, "body": {**body, "seq": seq}}])


def false_cursors(liar: Liar) -> None:
    """A cursor beyond the last change, with any proof but its own. All kiosks would begin again."""
    centre = liar.world.centre
    liar.pull(adopt=False)  # the first pull of a day changes the roster
    latest = centre.rows("select value from counters where name = 'change'")[0]["value"]
    beyond = latest + liar.chance.choice((1, 5, 10**6, 2**62, 2**70))
    with centre.store.read() as db:
        anothers = cursor_mac(read_standings(db).moment, "kiosk-A", beyond, more=False)
    (incarnation,) = centre.rows("select server_incarnation from incarnation")[0]
    for mac in ("", anothers, liar.cursor_mac, "\ud800".encode("utf-8", "replace").decode(), "é" * 64):
        answer = liar.pull(adopt=False, cursor=beyond, cursor_mac=mac, server_incarnation=incarnation)
        assert answer.get("code") == "bad_cursor", answer
    assert centre.rows("select 1 from exceptions where code = 'bad_cursor' and kiosk_id = :id", id=KIOSK_ID)
    liar.pull(adopt=False, cursor=-5, cursor_mac="x")
    liar.pull(adopt=False, cursor=beyond, server_incarnation="of my own")


def twice(liar: Liar) -> None:
    """Pushes one batch twice."""
    liar.catch_up()
    body = liar.action()
    head = chain_hash(liar.hashes[liar.seq], canonical(body))
    actions = [{"hash": head, "body": body}]
    first = liar.send(actions)
    if "verdicts" in first:
        liar.seq -= 1
        again = liar.send(actions)
        assert again["verdicts"][0]["verdict"] == first["verdicts"][0]["verdict"]


def many(liar: Liar) -> None:
    """A full batch, and one that is too long."""
    liar.catch_up()
    bodies = [liar.action(seq=liar.seq + 1 + place) for place in range(MAX_BATCH)]
    liar.push(*bodies[: liar.chance.choice((5, 30))])
    assert "code" in liar.push(*bodies, liar.action(seq=liar.seq + MAX_BATCH + 1))


def garbage(liar: Liar) -> None:
    """Bodies of any shape get a clear answer."""
    body = liar.action()
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    shapes: tuple[Json, ...] = (
        {**body, "payload": {"deep": deep}},
        {**body, "payload": {"note": "x" * 30_000}},
        {**body, "leg": -1},
        {**body, "leg": 2**200},
        {**body, "action_id": "no id"},
        {**body, "action_id": 7},
        {**body, "clock": None},
        {**body, "patient_id": "x" * 1000},
        {**body, "site_day": "yesterday"},
        {**body, "payload": {"tag_id": "04a1b2c3"}},
        {"seq": liar.seq + 1},
    )
    liar.push(liar.chance.choice(shapes), trial={"hash": "", "body": liar.chance.choice(shapes)})
    for path in (PUSH, PULL, LOOKUP):
        wrong = liar.chance.choice((b"", b"{", b"[]", b"\xff\xfe", b'{"protocol_version":2}', b"[" * 5000, b"9" * 400))
        assert liar.call(path, wrong)["code"] in ("malformed", "unsupported_version")
    flips = bytearray(msgspec.json.encode({**body, "epoch": liar.epoch}))
    for _ in range(5):
        flips[liar.chance.randrange(len(flips))] ^= 1 << liar.chance.randrange(7)
    liar.call(PUSH, b'{"protocol_version":2,"actions":[{"hash":"","body":' + bytes(flips) + b"}]}")
