"""The proof that some actions of a kiosk need, such as the id of a terminal's receipt for a payment.

The rule of the action names the member of the payload that holds it (`proof` in definitions.toml). Both ends read it
here alone.
"""

from collections.abc import Mapping
from typing import Any

from sync.journey.definitions import ActionRule
from sync.journey.model import Actor, Role

MAX_PROOF = 200  # characters


def proof_in(rule: ActionRule, payload: Mapping[str, Any]) -> str | None:
    """The proof in an action's payload: a text of 1 to `MAX_PROOF` characters. None where it has or needs none."""
    value = payload.get(rule.proof) if rule.proof is not None else None
    return value if isinstance(value, str) and 0 < len(value) <= MAX_PROOF else None


def lacks_proof(rule: ActionRule, actor: Actor, payload: Mapping[str, Any]) -> bool:
    """Whether the action needs a proof that its payload does not have. Only an action of a kiosk needs one."""
    return actor.role is Role.KIOSK and rule.proof is not None and proof_in(rule, payload) is None
