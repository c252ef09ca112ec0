"""Reads the gettext catalogs: a folder per language in each home of words. No catalog is compiled.

The shared words have their catalogs here, those of a screen alone beside that screen. No text is in both. To add a
language, add its folder to each home, and restart. For the words here that is
`pybabel extract -F sync/words/babel.cfg -k N_ -k plural:1,2 -o build/messages.pot sync/words`, then
`pybabel init -i build/messages.pot -d sync/words/translations -l ja`, and the translation.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

TRANSLATIONS = Path(__file__).with_name("translations")  # the catalogs of the shared words


class Catalog(msgspec.Struct, frozen=True):
    """One language: its tag (BCP 47), and its text for each English text.

    A list has one text per plural form, in the order of the CLDR's categories. A text without a translation is left out
    and shown in English.
    """

    tag: str
    messages: Mapping[str, str | list[str]]


def read_catalogs(*folders: Path) -> tuple[Catalog, ...]:
    """Reads every catalog in these folders, and makes one of those of a language. Returns them by tag.

    Raises OSError or ValueError where a catalog cannot be read, or a folder has none.
    """
    messages: dict[str, dict[str, str | list[str]]] = {}
    for folder in folders:
        catalogs = [read_catalog(path) for path in sorted(folder.glob("*/LC_MESSAGES/messages.po"))]
        if not catalogs:
            raise ValueError(f"{folder}: there is no catalog of words in it")
        for catalog in catalogs:
            messages.setdefault(catalog.tag, {}).update(catalog.messages)
    return tuple(Catalog(tag, messages[tag]) for tag in sorted(messages))


def read_catalog(path: Path) -> Catalog:
    """Reads one catalog. Raises OSError or ValueError where it cannot be read."""
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
