"""The keys that seal the access log: a file of the service's own machine, and never in the database.

The last key seals. The others are those of other hosts, or of a machine that was replaced: they are for verification.
An operator who has lost a key for good names its id without a secret.
"""

import itertools
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from sync.central.records.log_digests import LogKey
from sync.durable import write_secret

_BYTES = 32


class _File(msgspec.Struct, frozen=True):
    """The JSON of the file."""

    keys: tuple[LogKey, ...]


def log_keys_path(state: Path) -> Path:
    """The path of the key file."""
    return state.with_name(state.name + ".log-keys")


def read_log_keys(state: Path) -> tuple[LogKey, ...]:
    """The keys of the file; none where there is no file. Raises OSError, or ValueError for a file of another form."""
    path = log_keys_path(state)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File).keys
    except FileNotFoundError:
        return ()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: is no file of the keys of the access log: {error}") from error
    if not found or not all(map(_is_usable, found)):
        raise ValueError(f"{path}: holds no usable key")
    return found


def sealing_key(state: Path) -> LogKey:
    """The key that seals here. Where there is none, one is made. Raises OSError and ValueError."""
    found = read_log_keys(state)
    own = [key for key in found if key.secret]
    if own:
        return own[-1]
    made = LogKey(f"l{secrets.token_hex(4)}", secrets.token_hex(_BYTES))
    write_secret(log_keys_path(state), msgspec.json.encode(_File((*found, made))))
    return made


def move_log_keys(old: Path, new: Path) -> None:
    """Gives another state directory these keys too, before its own. Raises OSError and ValueError."""
    here, there = read_log_keys(old), read_log_keys(new)
    known = {key.key_id: key for key in itertools.chain(there, here)}
    if here and known:
        write_secret(log_keys_path(new), msgspec.json.encode(_File(tuple(known.values()))))


def by_id(keys: tuple[LogKey, ...]) -> Mapping[str, LogKey]:
    """The keys by their ids."""
    return {key.key_id: key for key in keys}


def _is_usable(key: LogKey) -> bool:
    try:
        return len(bytes.fromhex(key.secret)) in (0, _BYTES)
    except ValueError:
        return False
