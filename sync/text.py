"""Text of people and of other systems in its one form: what is stored, and what a search compares.

Korean is written in two ways in Unicode, as whole syllables and as single letters (NFC and NFD, UAX #15). Both look the
same, so every text is stored in NFC.
"""

import unicodedata

# Joiners form part of a letter or an emoji: a name may hold them between other characters.
_JOINERS = frozenset("\u200c\u200d")
_REFUSED = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


def clean(text: str) -> str:
    """A text in NFC, without space at its ends. Raises ValueError where it holds what nobody sees.

    That is a control character, a direction mark, a space without a width, or a code point that is no character.
    """
    found = unicodedata.normalize("NFC", text).strip()
    bare = found.strip("".join(_JOINERS))
    if bare != found or any(unicodedata.category(each) in _REFUSED and each not in _JOINERS for each in found):
        raise ValueError("holds a character that nobody sees, such as a control or a direction mark")
    return found


def fold(text: str) -> str:
    """A text as a search compares it: without case, accents, and the forms of apostrophes, hyphens and spaces.

    Two texts that a person would call the same have the same form.
    """
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFC", text).casefold())
