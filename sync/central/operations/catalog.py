"""Every operation by its name."""

from sync.central.centre import Centre
from sync.central.operations.bindings import binding_operations
from sync.central.operations.demo import demo_operations
from sync.central.operations.hospital import hospital_operations
from sync.central.operations.imports import import_operations
from sync.central.operations.inbox import inbox_operations
from sync.central.operations.kiosks import kiosk_operations
from sync.central.operations.tokens import token_operations
from sync.central.operations.upkeep import upkeep_operations
from sync.control import Operation


def operations(centre: Centre) -> dict[str, Operation]:
    """The operations on a centre."""
    return {
        **hospital_operations(centre),
        **demo_operations(centre),
        **import_operations(centre),
        **token_operations(centre),
        **kiosk_operations(centre),
        **inbox_operations(centre),
        **binding_operations(centre),
        **upkeep_operations(centre),
    }
