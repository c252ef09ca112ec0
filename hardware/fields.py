"""The fields of one reader's slots that are not clear, over all processes that drive the reader one after another."""

from hardware.reader import Event, FieldClear


class OpenFields:
    """Decides which events of a reader are passed on: one FieldClear after taps and refusals, and no other."""

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._left_over: set[str] = set()

    def admits(self, event: Event) -> bool:
        """Notes an event. False where it says that a field is clear which nobody has heard of."""
        self._left_over.discard(event.reader)
        if isinstance(event, FieldClear):
            if event.reader not in self._open:
                return False
            self._open.discard(event.reader)
        else:
            self._open.add(event.reader)
        return True

    def new_process(self) -> None:
        """The fields that are open now are left over from the process before."""
        self._left_over = set(self._open)

    def left_over(self) -> list[FieldClear]:
        """The end of the fields that the present process says nothing about, such as those of a slot that is gone."""
        return [FieldClear(reader) for reader in sorted(self._left_over)]

    def all(self) -> list[FieldClear]:
        """The end of all fields, for a reader that is out of order or stopped."""
        return [FieldClear(reader) for reader in sorted(self._open)]
