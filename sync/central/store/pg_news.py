"""The news of a commit as notifications of PostgreSQL, for the other services of the database."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from sync.central.store import news
from sync.central.store.news import NewsItem

_MOST_BYTES = 7000  # of a notification's text, which the server limits to 8,000
_MOST_NOTIFICATIONS = 8  # of a commit. Of more changes, the others learn that there were some

# How an item of each kind is made again.
_KINDS: Mapping[str, Callable[["_Told"], NewsItem]] = {
    "PatientChanged": lambda told: news.PatientChanged(told.number, told.topic, told.action, told.action_id),
    "TokenRevoked": lambda told: news.TokenRevoked(told.topic, told.number),
    "VerdictRevised": lambda told: news.VerdictRevised(told.number),
    "BlockChanged": lambda told: news.BlockChanged(told.number),
    "CardKeyPublished": lambda told: news.CardKeyPublished(told.number),
    "KiosksToTell": lambda told: news.KiosksToTell(told.number),
    "CommonChanged": lambda _: news.CommonChanged(),
    "CaseChanged": lambda told: news.CaseChanged(told.topic),
    "TimeConfirmed": lambda told: news.TimeConfirmed(told.number, told.topic),
}


class _Told(msgspec.Struct, array_like=True):
    """One item: its kind, its number, and what it is about."""

    kind: str
    number: int
    topic: str = ""
    action: str | None = None
    action_id: str | None = None


class Notification(msgspec.Struct, array_like=True):
    """What one service tells the others: some items, or that there were changes up to a number."""

    sender: str
    up_to: int
    items: list[_Told] = []

    def news(self) -> list[NewsItem]:
        """The items, as the sender has announced them, but for the states. Those of a newer version are left out."""
        return [_KINDS[each.kind](each) for each in self.items if each.kind in _KINDS]


def new_sender() -> str:
    """A name for a service's notifications, by which it knows its own."""
    return secrets.token_hex(8)


def notifications(sender: str, items: Sequence[NewsItem]) -> list[str]:
    """The texts of the notifications of a commit."""
    up_to = max((each.number for each in items), default=0)
    texts = [_text(sender, up_to, some) for some in _portions([_told(each) for each in items])]
    return texts if len(texts) <= _MOST_NOTIFICATIONS else [_text(sender, up_to, [])]


def read_notification(text: str) -> Notification | None:
    """A notification; None for what is none of a service."""
    try:
        return msgspec.json.decode(text, type=Notification)
    except msgspec.DecodeError:
        return None


def _told(item: NewsItem) -> _Told:
    kind = type(item).__name__
    if isinstance(item, news.PatientChanged):
        return _Told(kind, item.number, item.topic, item.action, item.action_id)
    if isinstance(item, news.CaseChanged):
        return _Told(kind, item.number, item.exception_id)
    return _Told(kind, item.number, item.topic)


def _portions(items: Sequence[_Told]) -> Iterator[list[_Told]]:
    """The items in portions of a notification each."""
    portion: list[_Told] = []
    size = 0
    for each in items:
        own = len(msgspec.json.encode(each)) + 1
        if portion and size + own > _MOST_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(each)
        size += own
    if portion:
        yield portion


def _text(sender: str, up_to: int, items: list[_Told]) -> str:
    return msgspec.json.encode(Notification(sender, up_to, items)).decode()
