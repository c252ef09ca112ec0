"""The links of a batch: repeats, another content under one id, and links out of order or missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sync.central.kiosks.intents import content_hash
from sync.central.kiosks.links import Continues, Fork, Gap, Link, Repeat, fit, links_of
from sync.central.records.chains import Chain, read_chain
from sync.central.store.transactions import ReadTransaction
from sync.protocol import NO_HASH, PushAnswer, Pushed, chain_hash
from tests.sync.central.two_stores.acts import chained, intent_of, push
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk, Time

FRESH = Chain("kiosk-1", 1)
BODY = {"action_id": "a", "action_type": "scan_nfc", "patient_id": "P1", "kiosk_id": "kiosk-1", "epoch": 1, "seq": 1}


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path / "centre.db", Time())
    yield made
    made.store.close()


@pytest.fixture
def db(centre: Centre) -> Iterator[ReadTransaction]:
    with centre.store.read() as reading:
        yield reading


def links(*seqs: int) -> tuple[Link, ...]:
    """Links with these seqs, chained in this order."""
    pushed, head = [], NO_HASH
    for seq in seqs:
        body = json.dumps(BODY | {"action_id": f"a{seq}", "seq": seq}).encode()
        head = chain_hash(head, body)
        pushed.append(Pushed(hash=head, body=msgspec.Raw(body)))
    return links_of(FRESH, pushed)


def test_a_batch_that_begins_with_the_next_seq_continues_the_chain(db: ReadTransaction):
    assert fit(db, FRESH, links(1, 2)) == Continues((), links(1, 2))


def test_case_9_a_link_that_was_judged_before_is_a_repeat_with_its_verdict(tmp_path: Path, centre: Centre):
    kiosk = Kiosk(tmp_path / "A.db", centre, "A", EVERYTHING)
    kiosk.pull()
    intent = intent_of(kiosk, seq=1)
    pushed = chained([intent])
    assert isinstance(push(centre, kiosk, pushed), PushAnswer)
    with centre.store.read() as db:
        chain = read_chain(db, intent.kiosk_id, intent.epoch)
        (link,) = links_of(chain, pushed)
        assert fit(db, chain, [link]) == Continues((Repeat(link, intent.action_id),), ())


@pytest.mark.parametrize("other", [{"kiosk_id": "kiosk-2"}, {"epoch": 2}, {"seq": 9}, {"new": ""}, {"new": None}])
def test_case_9_the_same_action_in_another_place_is_the_same_action(other: dict[str, Any]):
    assert content_hash(BODY | other) == content_hash(BODY)


@pytest.mark.parametrize("other", [{"patient_id": "P2"}, {"action_type": "register"}, {"new": "x"}])
def test_case_10_another_content_under_one_id_is_another_action(other: dict[str, Any]):
    assert content_hash(BODY | other) != content_hash(BODY)


@pytest.mark.parametrize("seqs", [(2,), (2, 1), (1, 3), (2, 3)])
def test_case_11_a_batch_out_of_order_or_with_a_hole_is_refused_whole(db: ReadTransaction, seqs: tuple[int, ...]):
    assert fit(db, FRESH, links(*seqs)) == Gap(1)


def test_case_11_a_chain_that_was_edited_is_a_fork(db: ReadTransaction):
    first, second = links(1, 2)
    assert fit(db, FRESH, (first, replace(second, hash=first.hash))) == Fork()
