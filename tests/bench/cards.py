"""How fast a large centre rotates its card keys, what an action waits for meanwhile, and how fast UIDs can be tried.

The database holds a card for each of many patients, and a history in which a card stands.
"""

from __future__ import annotations

import time
from pathlib import Path

from sync.cards import CardKey, canonical_card
from sync.central.centre import Centre
from sync.central.maintenance.card_rotation import begin_rotation, walk_on
from sync.central.opening import open_centre
from tests.bench.days import DAY, beside, fill, said
from tests.bench.figures import Figure

BINDINGS = 100_000
TRIED = 200_000


def measure(directory: Path, bindings: int = BINDINGS) -> list[Figure]:
    """The time of a rotation, the longest that an action waited meanwhile, and the rate of hashes on one core."""
    directory.mkdir(parents=True)
    url = f"sqlite:///{directory}/centre.db"
    fill(url, bindings)
    _bind(url, bindings)
    return [
        Figure(f"{bindings} cards get a new key", *said(*beside(url, DAY, _rotate))),
        Figure("UIDs tried under a known key, one core, Python", f"{_tried_a_second():,.0f} /s", ""),
    ]


def _bind(url: str, bindings: int) -> None:
    centre = open_centre(url)
    cards = ((number, centre.keys.hashes(_card(number))[0]) for number in range(bindings))
    with centre.store.write() as db:
        for number, card in cards:
            db.execute(
                "insert into bindings values (:id, :patient, '', 'import', 0, 'bench', null, null, null)",
                {"id": f"B{number:06d}", "patient": f"P{number:06d}"},
            )
            db.execute(
                "insert into binding_hashes values (:key, :hash, :id)",
                {"key": card.key_id, "hash": card.uid_hash, "id": f"B{number:06d}"},
            )
    centre.store.close()


def _card(number: int) -> str:
    return canonical_card("iso14443a", number.to_bytes(7, "big"))


def _rotate(centre: Centre, _: str) -> int:
    begin_rotation(centre, "bench")
    walk_on(centre)
    return 0


def _tried_a_second() -> float:
    key, started = CardKey("k", "11" * 32), time.process_time()
    for number in range(TRIED):
        key.hash(_card(number))
    return TRIED / (time.process_time() - started)
