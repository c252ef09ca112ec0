"""The file (0600) of the key that signs the page's cookies."""

import logging
import re
import secrets
from pathlib import Path

from sync.durable import write_secret

log = logging.getLogger(__name__)

KEY_BYTES = 32


def load_signing_key(path: Path) -> bytes:
    """Returns the key in a file, which is made where there is none.

    A damaged or unreadable file is made again: the open page is shut out then, and a browser that starts again gets in.
    Where the file cannot be written, the key is good until the daemon ends. Neither may keep a kiosk from its start.
    """
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        return _make(path)
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read (%s) and is made again: an open page has to be opened again", path, error)
        return _make(path)
    if not re.fullmatch(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", text):
        log.warning("%s is damaged and is made again: an open page has to be opened again", path)
        return _make(path)
    return bytes.fromhex(text)


def _make(path: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    try:
        write_secret(path, key.hex().encode())
    except OSError as error:
        log.error("%s cannot be written: %s. The page has to be opened again after a restart", path, error.strerror)  # noqa: TRY400
    return key
