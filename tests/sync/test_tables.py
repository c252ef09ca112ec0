"""A table is checked against its struct key by key, and every key that does not fit is found."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.tables import Misfit, misfits


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One key of each kind."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    sources: frozenset[str] = msgspec.field(name="from", default=frozenset())
    count: int = 1


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ({"name": "x"}, []),
        ({"name": "x", "from": ["a"], "count": 2}, []),
        ({}, [Misfit("name", "missing key")]),
        ({"name": ""}, [Misfit("name", "Expected `str` of length >= 1")]),
        ({"name": "x", "sources": ["a"]}, [Misfit("sources", "unknown key")]),
        ({"name": "x", "from": [1]}, [Misfit("from", "Expected `str`, got `int` - at `$[0]`")]),
        (
            {"colour": 1, "from": "a", "count": True},
            [
                Misfit("colour", "unknown key"),
                Misfit("name", "missing key"),
                Misfit("from", "Expected `array`, got `str`"),
                Misfit("count", "Expected `int`, got `bool`"),
            ],
        ),
    ],
)
def test_every_key_that_does_not_fit_is_named_with_what_is_wrong(table: dict[str, Any], found: list[Misfit]):
    assert list(misfits(Part, table)) == found


ANYTHING = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())


@given(st.dictionaries(st.sampled_from(["name", "from", "count", "colour"]), ANYTHING))
def test_a_table_without_misfits_converts_and_one_with_some_does_not(table: dict[str, Any]):
    fits = not list(misfits(Part, table))
    try:
        msgspec.convert(table, Part)
    except msgspec.ValidationError:
        assert not fits
    else:
        assert fits
