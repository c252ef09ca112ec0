"""The reason for which msgspec refuses the fields of a row, in words for an operator."""

import re
from collections.abc import Collection

_LONGEST_NAME = 64  # characters
_TYPES = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_FORMS = {
    "day_starts_at": "is no time of the day, such as 04:00",
    "ticket_prefix": "is no prefix: a capital letter, and up to three letters or digits",
    "language": "is no tag of a language, such as ko or en",
    "languages": "is no tag of a language, such as ko or en",
}
MAX_MINUTES = 24 * 60
NO_MINUTES = f"is no whole number from 0 to {MAX_MINUTES}"
_BOUNDS = (
    (r"expected `(?:str|array)` of length >= 1", "is empty"),
    (r"expected `str` of length <= (\d+)", r"has more than \1 characters"),
    (r"expected `int` [<>]= \d+", NO_MINUTES),
    (r"object missing required field `(\w+)`", r"\1 is missing"),
)
_UNKNOWN = re.compile(r"object contains unknown field `(.*)`", re.DOTALL)


def in_plain_words(reason: str, kind: str, fields: Collection[str]) -> str:
    """A reason with the place in front, fields and types by their English names. `fields` are those of the kind."""
    reason = f"{reason[:1].lower()}{reason[1:]}"
    if unknown := _UNKNOWN.fullmatch(reason):
        return f"{unknown[1][:_LONGEST_NAME]} is no field of {kind}: {', '.join(fields)}"
    fault, _, place = reason.partition(" - at `$.")
    place = place.rstrip("`")
    if "matching regex" in fault:
        return f"{place} {_FORMS[place.partition('[')[0]]}"
    for form, words in _BOUNDS:
        if found := re.fullmatch(form, fault):
            return f"{place} {found.expand(words)}".lstrip()
    fault = re.sub(r"(?<=(?:got|ted) )`([a-z |]+)`", _type_in_words, fault)
    return f"{place}: {fault}" if place else fault


def _type_in_words(found: re.Match[str]) -> str:
    return " or ".join(_TYPES.get(name, name) for name in found.group(1).split(" | "))
