"""Why a sign-in at a provider came to nothing."""

from enum import StrEnum


class Trouble(StrEnum):
    """What the sign-in page says of it."""

    PROVIDER = "provider"  # the provider does not answer, or not as OpenID Connect has it
    STALE = "stale"  # the answer belongs to no sign-in of this browser, or comes too late
    NO_DUTY = "no-duty"  # the person's groups have no duty here
    DISABLED = "disabled"


class ProviderError(Exception):
    """The provider does not answer, or gives an answer that does not hold. The message is for the log."""
