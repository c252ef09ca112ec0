"""The words of the screen: gettext catalogs, one folder per language, read when the daemon starts.

To add a language, add its folder: `pybabel extract -F kiosk/ui/babel.cfg -k N_ -o build/messages.pot kiosk/ui`, then
`pybabel init -i build/messages.pot -d kiosk/ui/translations -l ja`, translate, and restart. No catalog is compiled.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

TRANSLATIONS = Path(__file__).with_name("translations")


class Catalog(msgspec.Struct, frozen=True):
    """One language: its tag (BCP 47), and its text for each English text.

    A list has one text per plural form, in the order of the CLDR's categories. A text without a translation is left out
    and shown in English.
    """

    tag: str
    messages: Mapping[str, str | list[str]]


def read_catalogs(folder: Path = TRANSLATIONS) -> tuple[Catalog, ...]:
    """Reads every catalog in a folder, by tag. Raises OSError or ValueError where one cannot be read or none exists."""
    catalogs = tuple(_read(path) for path in sorted(folder.glob("*/LC_MESSAGES/messages.po")))
    if not catalogs:
        raise ValueError(f"{folder}: there is no catalog of the screen's words in it")
    return catalogs


def _read(path: Path) -> Catalog:
    # Imported here: Babel takes a megabyte of memory.
    from babel.messages.pofile import PoFileError, read_po

    tag = path.parent.parent.name.replace("_", "-")
    try:
        with path.open("rb") as file:
            parsed = read_po(file, abort_invalid=True)
    except PoFileError as error:
        raise ValueError(f"{path}: {error}") from error
    messages: dict[str, str | list[str]] = {}
    for message in parsed:
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        texts = [str(form) for form in forms if form]
        if not message.id or message.fuzzy or len(texts) < len(forms):
            continue
        if isinstance(message.id, str):
            messages[message.id] = texts[0]
        else:
            messages[message.id[0]] = texts
    return Catalog(tag, messages)
