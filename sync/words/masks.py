"""The masked form of a name, for screens that other people see."""

import unicodedata

import regex

# What a reader takes for one letter may be several code points: a syllable in single letters, a letter with its
# accents, a conjunct of an Indic script, an emoji of a family (UAX #29).
_LETTER = regex.compile(r"\X")


def masked(name: str) -> str:
    """A name as a public screen may show it, in NFC. Each word keeps its first letter, and from three letters on its
    last.

    Korean usage: 홍길동 is shown as 홍*동, 이솔 as 이*, 남궁민수 as 남**수.
    """
    return " ".join(_masked_word(word) for word in unicodedata.normalize("NFC", name).split())


def _masked_word(word: str) -> str:
    letters = _LETTER.findall(word)
    if len(letters) < 3:
        return f"{letters[0]}*"
    return f"{letters[0]}{'*' * (len(letters) - 2)}{letters[-1]}"
