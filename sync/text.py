"""Text of people and of other systems in its one form: what is stored, and what a search compares.

Korean is written in two ways in Unicode, as whole syllables and as single letters (NFC and NFD, UAX #15). Both look the
same, so every text is stored in NFC.
"""

import re
import unicodedata

# Joiners form part of a letter or an emoji: a name may hold them between other characters.
_JOINERS = frozenset("\u200c\u200d")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # an escape, and not a backslash that is escaped itself
_NAMES = {"\n": "a line break", "\r": "a line break", "\t": "a tab"}
_REFUSED = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})

# What NFKC leaves apart, and people type for each other.
_APOSTROPHES = "'`\u00b4\u02b9\u02bb\u02bc\u02bd\u02c8\u02ca\u02cb\u2018\u2019\u201a\u201b\u2032\u2035\u05f3\ua78c"
_HYPHENS = "-_\u00af\u02d7\u2043\u2212\u30fb\u00b7\uff65"
_STROKED = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
_PUNCTUATION = str.maketrans(dict.fromkeys(_APOSTROPHES, "'") | dict.fromkeys(_HYPHENS, " "))
_LETTERS = str.maketrans(_STROKED)


def clean(text: str) -> str:
    """A text in NFC, without space at its ends. Raises ValueError where it holds what nobody sees.

    That is a control character, a direction mark, a space without a width, or a code point that is no character.
    """
    found = unicodedata.normalize("NFC", text).strip()
    if found.isprintable():
        return found  # It holds none of the refused kinds, as nearly every text. A look at each character takes longer.
    bare = found.strip("".join(_JOINERS))
    unseen = [each for each in bare if unicodedata.category(each) in _REFUSED and each not in _JOINERS]
    if bare != found or unseen:
        first = (unseen or [each for each in found if each in _JOINERS])[0]
        raise ValueError(f"holds {_NAMES.get(first, f'U+{ord(first):04X}')}, a character that nobody sees")
    return found


def holds_nul(json: bytes | str) -> bool:
    """Whether a text in a JSON document holds U+0000, which PostgreSQL cannot store. JSON has it as an escape alone."""
    document = json.encode(errors="replace") if isinstance(json, str) else json
    return b"\\u0000" in document and _NUL.search(document) is not None


def fold(text: str) -> str:
    """A text as a search compares it: without case and accents, in words with one space between them.

    Apostrophes of any form are one, and a hyphen or a dash parts words as a space does. Wide and narrow letters are
    one, syllables of Hangul stay whole. Two texts that a person would call the same have the same form.

    The database holds folded names. So a change of this function means a migration that folds them again.
    """
    # Before NFKC, which makes a space and an accent of an acute that stands alone, and after it, for the wide forms.
    first = unicodedata.normalize("NFC", text).translate(_PUNCTUATION)
    plain = unicodedata.normalize("NFKC", first).casefold().translate(_PUNCTUATION)
    bare = "".join(_folded(each) for each in unicodedata.normalize("NFKD", plain))
    return " ".join(unicodedata.normalize("NFC", bare).translate(_LETTERS).split())


def _folded(character: str) -> str:
    """A character of a text in NFKD: "" for an accent and for what nobody sees, a space for a dash."""
    if character.isascii():
        return character
    place = unicodedata.combining(character)
    # Class 10 to 36: the points of Hebrew and Arabic, which most texts leave out. From 200 on: the accents of Latin,
    # Greek and Cyrillic. The marks between and below are letters of other scripts.
    if 10 <= place <= 36 or place >= 200:
        return ""
    category = unicodedata.category(character)
    return " " if category == "Pd" else "" if category == "Cf" else character
