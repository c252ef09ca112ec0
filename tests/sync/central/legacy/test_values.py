"""What the values of an old row mean."""

from __future__ import annotations

import pytest

from sync.central.legacy.layout import read_layout
from sync.central.legacy.reasons import Reason
from sync.central.legacy.values import happened_ms, id_of, metadata_of, moment_of, state_of, text_of
from sync.central.store.errors import StoreError

NOW_MS = 1_772_411_400_000  # 2026-03-02T00:30Z


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (17, "17"),
        (" A-1 ", "A-1"),
        ("홍", "홍"),
        ("", Reason.UNUSABLE_ID),
        (None, Reason.UNUSABLE_ID),
        (1.5, Reason.UNUSABLE_ID),
        (b"x", Reason.UNUSABLE_ID),
        ("a\0b", Reason.UNUSABLE_ID),
        ("x" * 129, Reason.UNUSABLE_ID),
        ("card-019d0c3f-e65d-7abc-8c11-5a23ae25b001", Reason.UNUSABLE_ID),
    ],
)
def test_an_id_is_a_short_text_that_people_can_see(value: object, meant: object):
    assert id_of(value) == meant


def test_a_time_without_an_offset_is_one_of_the_zone():
    assert happened_ms("2026-03-02 09:00:00", "Asia/Seoul", NOW_MS) == (NOW_MS - 30 * 60_000, None)
    assert happened_ms("2026-03-02 00:00:00+00", "Asia/Seoul", NOW_MS) == (NOW_MS - 30 * 60_000, None)


@pytest.mark.parametrize("value", [None, "", "soon", 17, "2026-02-30 00:00", "infinity", "99999-01-01", b"2026-03-02"])
def test_a_time_that_cannot_be_read_is_no_time(value: object):
    assert moment_of(value, "UTC") is Reason.UNREADABLE_TIME
    assert happened_ms(value, "UTC", NOW_MS) == (NOW_MS, Reason.NO_TIME)


def test_a_time_that_has_not_come_is_now_and_one_before_1970_is_the_first():
    assert happened_ms("2126-03-02", "UTC", NOW_MS) == (NOW_MS, Reason.FUTURE)
    assert happened_ms("0001-01-01", "UTC", NOW_MS) == (0, None)


@pytest.mark.parametrize("value", ["{", "[1]", "3", '"x"', b"{}", '{"a":' * 2000, "x" * 70_000])
def test_metadata_that_is_no_small_object_is_left_in_the_kept_row(value: object):
    assert metadata_of(value) == ({}, Reason.METADATA)


def test_metadata_is_a_json_object_or_nothing():
    assert metadata_of('{"a": 1}') == ({"a": 1}, None)
    assert metadata_of(None) == metadata_of("") == ({}, None)


def test_a_state_is_known_by_its_old_name_in_any_letters():
    known, names = ("waiting", "in_progress"), {"ongoing": "in_progress"}
    assert state_of("waiting", names, known) == ("waiting", None)
    assert state_of("ongoing", names, known) == ("in_progress", None)
    assert state_of(" ONGOING", names, known) == ("in_progress", Reason.SPELLING)
    assert state_of("dozing", names, known) == (None, Reason.UNKNOWN_STATE)
    assert state_of(None, names, known) == (None, Reason.UNKNOWN_STATE)


def test_a_text_of_the_history_is_short_and_holds_no_nul():
    assert text_of("a\0b") == "a\N{REPLACEMENT CHARACTER}b"
    assert text_of(b"\xff") == "\N{REPLACEMENT CHARACTER}"
    assert (text_of(None), len(text_of("x" * 999))) == ("", 128)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("zone = 3", "zone"),
        ("speed = 3", "speed"),
        ("[tables.queue]\ntable = 'a; drop table x'", "is no name of a table"),
        ("[tables.queue.columns]\nstate = '\"'", "is no name of a table or a column"),
        ("[tables.queue.columns]\nstate = ''", "names no column for state"),
        ("[tables.sofa]\ntable = 'x'", "sofa"),
        ("[tables", "layout"),
        ("zone = 'Mars/Olympus'", "Mars"),
    ],
)
def test_a_layout_that_cannot_be_is_refused_with_the_place(tmp_path, text: str, fault: str):
    file = tmp_path / "layout.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(StoreError, match=fault):
        read_layout(file)
