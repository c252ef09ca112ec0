"""Every operation by its name. What an operation tells leaves through the door of the centre."""

from sync.central.centre import Centre
from sync.central.operations import TellingOperation
from sync.central.operations.accounts import account_operations
from sync.central.operations.audit import audit_operations
from sync.central.operations.bindings import binding_operations
from sync.central.operations.card_keys import card_key_operations
from sync.central.operations.demo import demo_operations
from sync.central.operations.desk import OPERATOR, operator_named, user_name
from sync.central.operations.hospital import hospital_operations
from sync.central.operations.imports import import_operations
from sync.central.operations.inbox import inbox_operations
from sync.central.operations.kiosk_tokens import kiosk_token_operations
from sync.central.operations.kiosks import kiosk_operations
from sync.central.operations.shadow import shadow_operations
from sync.central.operations.tokens import token_operations
from sync.central.operations.undo import undo_operations
from sync.central.operations.upkeep import upkeep_operations
from sync.central.operations.webhooks import webhook_operations
from sync.central.services.door import hand_over
from sync.central.services.requester import Requester
from sync.control import Operation


def operations(centre: Centre, operator: Requester = OPERATOR) -> dict[str, Operation]:
    """The operations on a centre, for an operator."""
    tellings: dict[str, TellingOperation] = {
        **hospital_operations(centre, operator),
        **demo_operations(centre, operator),
        **import_operations(centre, operator),
        **token_operations(centre, operator),
        **account_operations(centre, operator),
        **kiosk_operations(centre, operator),
        **kiosk_token_operations(centre, operator),
        **undo_operations(centre, operator),
        **inbox_operations(centre, operator),
        **binding_operations(centre, operator),
        **card_key_operations(centre, operator),
        **audit_operations(centre),
        **shadow_operations(centre),
        **upkeep_operations(centre, operator),
        **webhook_operations(centre, operator),
    }
    return {name: _through_the_door(centre, operator, tell) for name, tell in tellings.items()}


def operations_for(centre: Centre, uid: int) -> dict[str, Operation]:
    """The operations on a centre, for a user of this machine."""
    return operations(centre, operator_named(user_name(uid)))


def _through_the_door(centre: Centre, operator: Requester, tell: TellingOperation) -> Operation:
    return lambda arguments: hand_over(centre, operator, tell(arguments))
