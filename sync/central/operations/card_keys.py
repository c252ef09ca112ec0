"""The card keys, for an operator: list them, and rotate them."""

from time import monotonic
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.maintenance.card_rotation import OtherHosts, begin_rotation, is_lifted, read_step, walk_portion
from sync.central.maintenance.rotation_steps import Step
from sync.central.operations import TellingOperation
from sync.central.records.card_keys import keys_of_kiosks, read_card_keys
from sync.central.records.card_layers import count_hashes
from sync.central.services.requester import Requester
from sync.central.services.told import AboutNobody
from sync.control import ControlError

_AT_ONCE_S = 0.5  # of one call, so that the command can tell how far the rotation has come


def card_key_operations(centre: Centre, operator: Requester) -> dict[str, TellingOperation]:
    """The operations on card keys, by name. None of them tells a secret, or anything of a patient."""
    return {
        "card-keys": lambda _: AboutNobody(_list(centre)),
        "card-keys-begin": lambda _: AboutNobody(_begin(centre, operator)),
        "card-keys-walk": lambda _: AboutNobody(_walk(centre)),
    }


def _list(centre: Centre) -> dict[str, Any]:
    """Each key with the number of cards that are stored under it, the kiosks' newest keys, and the step of a rotation
    that is under way."""
    with centre.store.read() as db:
        counts = count_hashes(db)
        return {
            "keys": [
                msgspec.to_builtins(record) | {"stored": counts.get(record.key_id, 0)} for record in read_card_keys(db)
            ],
            "kiosks": msgspec.to_builtins(keys_of_kiosks(db)),
            "step": Step.DONE if is_lifted(db, centre) else read_step(db),
        }


def _begin(centre: Centre, operator: Requester) -> str:
    try:
        return begin_rotation(centre, operator.who)
    except OtherHosts as error:
        raise ControlError(_OTHER_HOSTS.format(file=centre.keys.path)) from error
    except OSError as error:
        raise ControlError(f"{centre.keys.path}: the key file cannot be written: {error.strerror}") from error


def _walk(centre: Centre) -> dict[str, Any]:
    """Goes on with the rotation that is under way, for a moment, and tells how far it has come."""
    until = monotonic() + _AT_ONCE_S
    while walk_portion(centre) is not Step.DONE and monotonic() < until:
        pass
    return _list(centre)


_OTHER_HOSTS = (
    "other hosts serve this database, and their key files would not have the new key: stop the service there, rotate,"
    " copy {file} to them, and start it again"
)
