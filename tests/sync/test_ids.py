"""UUIDs of version 7 by RFC 9562."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.ids import is_uuid, new_id, uuid7


def test_the_example_of_the_standard_is_reproduced():
    """RFC 9562, appendix A.6: rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F, on 22 February 2022."""
    randomness = bytes.fromhex("0cc318c4dc0c0c07398f")
    assert uuid7(0x017F22E279B0, randomness) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.integers(-(10**20), 10**20), st.binary(min_size=10, max_size=16))
def test_any_time_and_any_random_bytes_make_a_uuid_of_version_7(now_ms: int, randomness: bytes):
    made = uuid.UUID(uuid7(now_ms, randomness))
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert is_uuid(str(made))


@given(st.integers(0, 2**48 - 2), st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_ids_sort_by_their_millisecond(now_ms: int, one: bytes, other: bytes):
    assert uuid7(now_ms, one) < uuid7(now_ms + 1, other)


def test_ids_of_one_moment_differ():
    assert len({new_id() for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e279b07cc398c4dc0c0c07398f",
        "{017f22e2-79b0-7cc3-98c4-dc0c0c0739}",
        "urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e2_79b0_7cc3_98c4_dc0c0c07398f",
        "٠17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        None,
        7,
        ["017f22e2-79b0-7cc3-98c4-dc0c0c07398f"],
    ],
)
def test_other_values_are_no_uuid(text: object):
    assert not is_uuid(text)


def test_capital_letters_are_a_usual_spelling():
    assert is_uuid("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")
