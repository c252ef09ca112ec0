"""The search of a patient by words of a name, as SQL."""

_MOST_WORDS = 8  # of a text


def has_words(column: str, folded: str) -> tuple[str, dict[str, str]]:
    """The condition that a folded name has all the words of a folded text, and its parameters.

    A word is the beginning of one of the name's. One in Hangul may stand anywhere in it, since a Korean name has no
    space before the given name: 우서 is in 안우서.
    """
    words = {f"word{place}": _pattern(word) for place, word in enumerate(folded.split()[:_MOST_WORDS])}
    return " and ".join(f"' ' || {column} like :{word} escape '\\'" for word in words), words


def _pattern(word: str) -> str:
    literal = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    is_hangul = any("가" <= letter <= "힣" for letter in word)
    return f"%{literal}%" if is_hangul else f"% {literal}%"
