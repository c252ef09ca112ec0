"""A text to be shown: its English form, which is its id in the catalogs, and the values of its places."""

from collections.abc import Mapping
from functools import lru_cache
from string import Formatter

from msgspec import Struct, field

Phrase = tuple[str, ...]  # one message in several forms: a form is used where each of its places has a value


class Text(Struct, frozen=True):
    """A text before its translation. `values` fill its places. A text about a number `n` has a plural form, `many`."""

    text: str
    values: dict[str, str] = field(default_factory=dict)
    many: str = ""
    n: int | None = None


def N_(text: str) -> str:
    """Marks a text in a table for translation."""
    return text


def plural(one: str, many: str, n: int) -> Text:
    """Returns a text about a number, and marks both its forms for translation."""
    return Text(one, many=many, n=n)


def fill(phrase: Phrase, values: Mapping[str, str]) -> Text:
    """Returns the first form whose places all have a value. The last form of a phrase has no places."""
    for text in phrase:
        places = places_of(text)
        if all(values.get(place) for place in places):
            return Text(text, {place: values[place] for place in places})
    raise ValueError(f"no form of {phrase[0]!r} can be filled")


@lru_cache(maxsize=512)  # the texts are those of the tables
def places_of(text: str) -> tuple[str, ...]:
    """Returns the names of a text's places, in their order."""
    return tuple(place for _, place, _, _ in Formatter().parse(text) if place)
