"""The links of a batch: repeats, another content under one id, and links out of order or missing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from sync.central.kiosks.intents import content_hash, read_body, read_intent
from sync.central.kiosks.links import Continues, Fork, Gap, Link, Repeat, fit, links_of
from sync.central.records.chains import Chain, read_chain
from sync.central.store.transactions import ReadTransaction
from sync.protocol import NO_HASH, Opaque, PushAnswer, Pushed, canonical, chain_hash, link_hash
from tests.sync.central.two_stores.acts import chained, intent_of, push
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk

FRESH = Chain("kiosk-1", 1)
BODY = {"action_id": "a", "action_type": "scan_nfc", "patient_id": "P1", "kiosk_id": "kiosk-1", "epoch": 1, "seq": 1}


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


# Places and hashes.

CHAIN = Chain("K", 1, last_seq=4, last_hash="head")


def pushed(*bodies: bytes, head: str = "head") -> list[Pushed]:
    """Bodies as links that follow one another."""
    made = []
    for body in bodies:
        read = read_body(body)
        head = link_hash(head, read.canonical) if read else f"hash after {head}"
        made.append(Pushed(head, msgspec.Raw(body)))
    return made


def seqs(links: tuple[Link, ...]) -> list[int]:
    return [link.seq for link in links]


def test_bodies_without_a_seq_stand_where_the_chain_goes_on():
    assert seqs(links_of(CHAIN, pushed(b"[]", b"[]"))) == [5, 6]


def test_a_body_that_names_its_seq_places_those_beside_it():
    assert seqs(links_of(CHAIN, pushed(b"[]", b'{"seq":3}', b"[]"))) == [2, 3, 4]


def test_a_repeat_of_the_last_link_places_the_links_beside_it():
    first, last = pushed(b"[]", b"[]")
    chain = Chain("K", 1, last_seq=4, last_hash=last.hash)
    assert seqs(links_of(chain, [first, last])) == [3, 4]


def test_a_link_has_its_body_as_it_came_and_as_values():
    (link,) = links_of(CHAIN, pushed(b'{"seq": 5, "action_id": "a"}'))
    assert (link.body, link.document) == (b'{"seq": 5, "action_id": "a"}', {"seq": 5, "action_id": "a"})
    assert (link.canonical, link.action_id, link.opaque) == (canonical(link.document), "a", False)


def test_a_body_that_is_no_json_takes_its_place_and_its_hash_is_not_checked(db: ReadTransaction):
    links = links_of(CHAIN, pushed(b"broken", b"[]"))
    assert (links[0].document, links[0].canonical) == (None, None)
    assert fit(db, CHAIN, links) == Continues((), links)


def unread(head: str, *, readable: bool, action_id: str = "a") -> tuple[Link, ...]:
    """A record that is sent as stored on the disk, as the action "a" after the hash `head`."""
    body = canonical(BODY | {"seq": 5})
    opaque = Opaque(5, action_id, base64.b64encode(body).decode(), readable=readable)
    return links_of(CHAIN, [Pushed(chain_hash(head, body), msgspec.Raw(b"null"), opaque=opaque)])


def test_a_record_that_the_kiosk_can_read_is_a_link_like_any_other(db: ReadTransaction):
    sound = unread(CHAIN.last_hash, readable=True)
    assert (sound[0].document, sound[0].opaque) == (BODY | {"seq": 5}, False)
    assert fit(db, CHAIN, sound) == Continues((), sound)
    assert fit(db, CHAIN, unread("of another chain", readable=True)) == Fork()


@pytest.mark.parametrize(("readable", "action_id"), [(False, "a"), (True, "another")])
def test_the_hash_of_a_record_that_may_be_damaged_is_not_checked(db: ReadTransaction, readable: bool, action_id: str):
    (link,) = unread("of another chain", readable=readable, action_id=action_id)
    assert fit(db, CHAIN, [link]) == Continues((), (replace(link, document=None, intent=read_intent(None)),))


def test_an_empty_batch_fits(db: ReadTransaction):
    assert fit(db, CHAIN, ()) == Continues((), ())


@pytest.mark.parametrize("seq", [0, -1, -(10**30)])
def test_a_link_before_the_first_is_a_fork(db: ReadTransaction, seq: int):
    assert (
        fit(db, Chain("K", 1), links_of(Chain("K", 1), [Pushed(NO_HASH, msgspec.Raw(b'{"seq":%d}' % seq))])) == Fork()
    )


def test_a_link_whose_receipt_is_missing_is_a_fork(db: ReadTransaction):
    links = links_of(CHAIN, pushed(b'{"seq":3}', head=NO_HASH))
    assert fit(db, CHAIN, links) == Fork()


def test_a_batch_after_the_next_seq_is_a_gap(db: ReadTransaction):
    assert fit(db, CHAIN, links_of(CHAIN, pushed(b'{"seq":6}'))) == Gap(5)
