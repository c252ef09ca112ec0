"""Becomes the kiosk that the centre made of this box: secrets into files (0600), the rest into the store."""

import logging

import msgspec

from kiosk.config import Config
from kiosk.journeys import Journeys
from sync.cards import CardHash, CardKeys, canonical_uid, read_keys
from sync.durable import write_secret
from sync.protocol import Enrolment

log = logging.getLogger(__name__)


def settle_in(config: Config, journeys: Journeys, enrolment: Enrolment) -> None:
    """Writes token and keys, then the identity. Interrupted in between, the box can tap but not sync, and is enrolled
    by a second code. Raises OSError, sqlite3.Error, or ValueError or KeyError where the enrolment is of no use."""
    config.token_path.parent.mkdir(parents=True, exist_ok=True)
    write_secret(config.token_path, enrolment.token.encode())
    write_secret(config.keys_path, msgspec.json.encode(enrolment.card_keys))
    journeys.enrol(enrolment)


def why_not_settled(error: Exception) -> str:
    """What `settle_in` raised, in a line for the person at the command line, who needs another code."""
    # The message of an OSError names a file, the other messages could quote what the centre sent.
    why = str(error) if isinstance(error, OSError) else type(error).__name__
    return f"the enrolment could not be kept ({why}); set that right and take a new code"


def read_token(config: Config) -> str:
    """This kiosk's token. Raises OSError where there is no file."""
    return config.token_path.read_text("utf-8").strip()


class SiteCards:
    """Turns a UID into its hashes under the site's keys, which are read once and again after an enrolment."""

    def __init__(self, config: Config) -> None:
        self._path = config.keys_path
        self._keys = CardKeys({})
        self.refresh()

    def refresh(self) -> None:
        """Reads the key file again. Without a usable one no card is known, and the log says why."""
        try:
            self._keys = read_keys(self._path)
        except FileNotFoundError:
            log.info("no card keys yet: they come with the enrolment")
        except (OSError, ValueError) as error:
            # The parser's message could quote the file.
            log.error("the card keys in %s cannot be used: %s", self._path, type(error).__name__)  # noqa: TRY400

    def hashes(self, uid: bytes) -> tuple[CardHash, ...]:
        """The card's hash under every key, newest first."""
        return self._keys.hashes(canonical_uid(uid))
