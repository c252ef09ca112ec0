"""The file of actions set aside: damage to a line loses its action alone, and is seen."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.set_aside import SetAside, line_of, read_lines

NUMBER = 5


def action(place: int, **changes: object) -> SetAside:
    fields: dict[str, object] = {
        "place": place,
        "of": NUMBER,
        "site_id": "site-1",
        "site": "푸른 병원",
        "kiosk_id": "kiosk-1",
        "epoch": 1,
        "seq": place,
        "action_id": f"action-{place}",
        "body": "e30=",
        "digest": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "hash": "ab",
    }
    return SetAside(**(fields | changes))  # type: ignore[arg-type]


LINES = [line_of(action(place)) for place in range(1, NUMBER + 1)]


def test_a_whole_file_is_read_as_it_was_written():
    found = read_lines(LINES)
    assert found.actions == tuple(action(place) for place in range(1, NUMBER + 1))
    assert (found.lost, found.damaged_lines) == ((), ())


def test_a_file_that_stands_twice_in_another_is_still_one_file():
    assert read_lines([*LINES, *LINES]) == read_lines(LINES)


@pytest.mark.parametrize(
    "other",
    [{"kiosk_id": "kiosk-2"}, {"of": NUMBER + 1}, {"site_id": "site-2"}, {"action_id": "another"}],
    ids=lambda other: next(iter(other)),
)
@pytest.mark.parametrize("other_first", [True, False])
def test_the_lines_of_two_files_never_pass_for_one(other: dict[str, object], other_first: bool):
    others = [line_of(action(1, **other))]
    found = read_lines([*others, *LINES] if other_first else [*LINES, *others])
    assert found.is_mixed
    assert not read_lines(LINES).is_mixed


@given(st.integers(0, NUMBER - 1), st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_a_bit_that_flips_loses_the_action_of_its_line_alone(number: int, place: float, bit: int):
    line = bytearray(LINES[number])
    line[int(place * (len(line) - 1))] ^= 1 << bit
    text = b"".join([*LINES[:number], bytes(line), *LINES[number + 1 :]])
    found = read_lines(text.splitlines(keepends=True))
    assert found.lost == (number + 1,)
    assert found.damaged_lines
    assert [each.place for each in found.actions] == [each for each in range(1, NUMBER + 1) if each != number + 1]


@pytest.mark.parametrize("length", [0, 1, len(LINES[0]) - 2, len(LINES[0]), len(b"".join(LINES)) - 2])
def test_a_file_that_was_cut_says_which_actions_are_missing(length: int):
    found = read_lines(b"".join(LINES)[:length].splitlines(keepends=True))
    read = {each.place for each in found.actions}
    assert set(found.lost) == (set(range(1, NUMBER + 1)) - read if read else set())


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        b"[" * 100_000 + b"\n",
        b"\xff\xfe\n",
        line_of(action(0)),
        line_of(action(NUMBER + 1)),
        line_of(action(1, of=10**12)),
        line_of(action(1)).replace(b'"seq":1', b'"seq":1e99'),
        msgspec.json.encode({"checksum": "", "action": None}),
    ],
)
def test_nonsense_in_a_file_is_no_action(line: bytes):
    found = read_lines([line, *LINES])
    assert found.actions == read_lines(LINES).actions
    assert found.lost == ()
