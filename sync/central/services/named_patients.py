"""The patients whom a case names anywhere: in its detail, in its actions, or in a record that nobody could read."""

import re
from collections.abc import Iterator

import msgspec

from sync.central.records.patients import patient_named
from sync.central.store.transactions import ReadTransaction
from sync.journey.model import PatientId

_NAMES = re.compile(r"patient_ids?")
_IN_TEXT = re.compile(r'"patient_id"\s*:\s*"([^"\\]{1,128})"')


def named_patients(db: ReadTransaction, value: object) -> list[PatientId]:
    """The present ids of the known patients whom a value names, each once. msgspec can encode the value."""
    found = (patient_named(db, name) for name in dict.fromkeys(_names(msgspec.to_builtins(value))))
    return list(dict.fromkeys(patient_id for patient_id in found if patient_id is not None))


def _names(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item) if _NAMES.fullmatch(str(key)) else _names(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _names(item)
    elif isinstance(value, str):
        # A quarantined body is the text of a record, perhaps a broken one.
        yield from _IN_TEXT.findall(value)


def _texts(value: object) -> Iterator[str]:
    items = value if isinstance(value, list | tuple) else [value]
    yield from (item for item in items if isinstance(item, str))
