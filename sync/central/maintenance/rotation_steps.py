"""The steps of a rotation of the card keys, by name."""

from enum import StrEnum


class Step(StrEnum):
    """The steps of a walk, in their order."""

    ADD = "add"  # bindings and blocks get a row under the new key
    PUBLISH = "publish"  # kiosks get the key from now on
    TEXTS = "texts"  # actions that wait for staff, what is in quarantine, and the history name the new hash
    DROP = "drop"  # the rows under older keys go
    DONE = "done"
