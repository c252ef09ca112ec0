"""What becomes of pulls as they come: refused, or noted, and answered now or later. They are looked at as a set."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from sync.central.centre import Centre
from sync.central.kiosks.answering import Asked, Present, caller, present_of
from sync.central.kiosks.contact import changes_something, note_pull
from sync.central.kiosks.refusals import other_site, unsupported
from sync.central.records.standings import Standing, read_standings
from sync.central.records.tokens import valid_tokens
from sync.central.services.once import BearerChanged
from sync.central.store.transactions import ReadTransaction
from sync.protocol import CallRefused

Received = Present | CallRefused | Exception
_NOTED_AT_ONCE = 20  # pulls of one transaction, since every action waits for it


class Reception:
    """Receives the pulls of one centre, which speaks these `versions`."""

    def __init__(self, centre: Centre, versions: Collection[int]) -> None:
        self._centre = centre
        self._versions = tuple(versions)

    def receive(self, asked: Sequence[Asked]) -> list[Received]:
        """What each pull has met, in their order: the present, its refusal, or the error by which it failed.

        Writes what the pulls tell, where that is news.
        """
        received: dict[int, Received] = {}
        to_note: list[int] = []
        try:
            with self._centre.store.read() as db:
                present, standings = self._look(db, asked)
                valid = valid_tokens(db, {each.unconfirmed for each in asked} - {""}, present.now_ms)
                for number, each in enumerate(asked):
                    if each.unconfirmed and each.unconfirmed not in valid:
                        received[number] = BearerChanged()
                        continue
                    met = self._met(db, present, standings.get(each.kiosk_id), each)
                    if met is None:
                        to_note.append(number)
                    else:
                        received[number] = met
            for portion in _portions(to_note):
                received |= self._note({number: asked[number] for number in portion})
        except Exception as error:  # noqa: BLE001 - the edge of each call logs it
            received = {number: received.get(number, error) for number in range(len(asked))}
        return [received[number] for number in range(len(asked))]

    def _met(self, db: ReadTransaction, present: Present, standing: Standing | None, asked: Asked) -> Received | None:
        """What a pull has met; None where it is to be noted first."""
        if asked.request.protocol_version not in self._versions:
            return unsupported(self._versions)
        if refused := other_site(present.site.site_id, asked.request.site_id):
            return refused
        return None if changes_something(db, present, standing, asked) else _judged(present, standing, asked)

    def _note(self, asked: Mapping[int, Asked]) -> dict[int, Received]:
        """Notes what some pulls tell, in one transaction."""
        with self._centre.store.write() as db:
            for each in asked.values():
                note_pull(db, self._centre, each)
            present, standings = self._look(db, list(asked.values()))
        return {number: _judged(present, standings.get(each.kiosk_id), each) for number, each in asked.items()}

    def _look(self, db: ReadTransaction, asked: Sequence[Asked]) -> tuple[Present, Mapping[str, Standing]]:
        standings = read_standings(db, {each.kiosk_id for each in asked})
        return present_of(db, self._centre, standings.moment), standings.of


def _judged(present: Present, standing: Standing | None, asked: Asked) -> Received:
    found = caller(present, standing, asked)
    return found if isinstance(found, CallRefused) else present


def _portions(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for begin in range(0, len(numbers), _NOTED_AT_ONCE):
        yield numbers[begin : begin + _NOTED_AT_ONCE]
