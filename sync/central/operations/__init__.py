"""The operations behind the commands of `kiosk-central`: run by the service over its control socket, or on the file.

Each operation takes the arguments of the command and returns what it tells, with the patients whose data that holds. It
raises ControlError for a mistake of the operator. `catalog.py` lets the answers out.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sync.central.services.told import Telling

TellingOperation = Callable[[Mapping[str, Any]], Telling]
