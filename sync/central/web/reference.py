"""The page of the interface: what both documents say, as HTML without a script."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from sync.central.network.headers import content_policy

HTML = "text/html; charset=utf-8"
_PLACE = Path(__file__).with_name("pages")
_STYLE = (_PLACE / "reference.css").read_text("utf-8")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# The page has one style and nothing else, so it may have no more.
HEADERS = (("Content-Security-Policy", content_policy(f"style-src 'sha256-{_HASH}'")),)


def reference_page(openapi: dict[str, Any], asyncapi: dict[str, Any]) -> str:
    """The page, from the documents."""
    loader = FileSystemLoader(_PLACE)
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True)
    environment.lstrip_blocks = True
    environment.filters["kind"] = kind_of
    environment.filters["name"] = _name
    environment.filters["prose"] = _prose
    environment.filters["unlisted"] = _unlisted
    return environment.get_template("reference.html").render(openapi=openapi, asyncapi=asyncapi, style=_STYLE)


def kind_of(schema: dict[str, Any]) -> str:
    """A schema in a few words, such as `list of QueueDetail`."""
    if "$ref" in schema:
        return _name(schema["$ref"])
    if "anyOf" in schema:
        return " or ".join(kind_of(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f'"{each}"' if isinstance(each, str) else str(each).lower() for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    return str(schema.get("type", "any JSON"))


def _prose(text: str) -> Markup:
    """A description with its names as code."""
    # As plain text: Markup would escape what is put into it.
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 (escaped)


def _unlisted(schemas: dict[str, Any], listed: dict[str, Any]) -> dict[str, Any]:
    """The schemas that another list does not have."""
    return {name: each for name, each in schemas.items() if name not in listed}


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]
