"""The masked form of a name, for screens that other people see."""


def masked(name: str) -> str:
    """A name as a public screen may show it. Each word keeps its first letter, and from three letters on its last.

    Korean usage: 홍길동 is shown as 홍*동, 이솔 as 이*, 남궁민수 as 남**수.
    """
    return " ".join(_masked_word(word) for word in name.split())


def _masked_word(word: str) -> str:
    if len(word) < 3:
        return word[:1] + "*"
    return word[0] + "*" * (len(word) - 2) + word[-1]
