"""The kiosk's tokens: a newer one when the centre asks for it, and a former one where the centre does not know that."""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from sync.agent.answers import advised, in_words
from sync.agent.client import RENEWAL_PATH, Accepted, CentralClient, NoAnswer
from sync.agent.ledger import KioskState
from sync.agent.versions import Negotiation
from sync.protocol import TokenRequest

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 60.0


class Tokens(Protocol):
    """The tokens of a kiosk. One of them is the present one, with which new clients call the centre."""

    def keep(self, token: str, asked_with: str | None) -> None:
        """Saves a newer token durably, and makes it the present one. `asked_with` is the hash of the token of the call.

        Raises OSError where it cannot be saved. The kiosk goes on with the present one then.
        """
        ...

    def refuse(self, token_sha256: str) -> bool:
        """Takes another token, since the centre refuses the one with this hash. False where it has refused all."""
        ...

    def accept(self) -> None:
        """Notes that the centre accepts the present token."""
        ...


class RenewalLedger(Protocol):
    """What a renewal needs of the kiosk's store."""

    @property
    def identity(self) -> KioskState | None:
        """The kiosk's identity; None before enrolment."""
        ...


class Renewal:
    """Asks for a newer token. After a failure it asks again in a minute."""

    def __init__(self, ledger: RenewalLedger, tokens: Tokens, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic` returns seconds."""
        self._ledger = ledger
        self._tokens = tokens
        self._monotonic = monotonic
        self._not_before_s = float("-inf")
        self._reason = ""

    @property
    def reason(self) -> str:
        """Why the last renewal failed, and what helps; empty where it succeeded."""
        return self._reason

    def run_once(self, client: CentralClient, versions: Negotiation) -> bool:
        """Asks with the token of this client. Returns whether there is a newer token, which is saved by then."""
        identity = self._ledger.identity
        if identity is None or self._monotonic() < self._not_before_s:
            return False
        self._not_before_s = self._monotonic() + AGAIN_AFTER_S  # also where asking raises
        self._note(self._ask(client, identity, versions))
        if self._reason:
            return False
        self._not_before_s = float("-inf")
        return True

    def _ask(self, client: CentralClient, identity: KioskState, versions: Negotiation) -> str:
        """Why there is no newer token; empty where there is one."""
        request = TokenRequest(
            protocol_version=versions.version, site_id=identity.site_id, kiosk_id=identity.kiosk_id, sealed=True
        )
        outcome = client.renew_token(request)
        if isinstance(outcome, NoAnswer):
            return advised(outcome.reason, RENEWAL_PATH)
        if not isinstance(outcome, Accepted):
            return in_words(outcome)
        if outcome.answer.site_id != identity.site_id:
            return "other_site: another hospital's centre has answered"
        try:
            self._tokens.keep(outcome.answer.token, client.token_sha256)
        except OSError as error:
            return f"not_saved: the new token cannot be saved: {error}"
        return ""

    def _note(self, reason: str) -> None:
        if reason and reason != self._reason:
            log.warning("renewal of the token: %s", reason)
        if not reason:
            log.info("this kiosk has a new token")
        self._reason = reason
