"""The scripts and styles of the pages of staff, and the modules that they share with the kiosk's page."""

from collections.abc import Mapping
from pathlib import Path

from flask import Blueprint, Flask, Response

from sync.central.services.door import publish_text
from sync.central.services.errors import ApiError
from sync.central.web.http import Cached, respond_cached, respond_error
from sync.page import modules

STATIC = Path(__file__).with_name("static")
_MEDIA = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}
_NO_FILE = ApiError("not_found", "There is no such file.")


def add_assets(app: Flask) -> None:
    """Adds the files, which are read once."""
    own = {path.name: path for path in sorted(STATIC.iterdir()) if path.suffix in _MEDIA}
    _add_folder(app, "/staff/static", own)
    _add_folder(app, "/page", modules())


def _add_folder(app: Flask, prefix: str, files: Mapping[str, Path]) -> None:
    found = {name: Cached(publish_text(path.read_text("utf-8")), _MEDIA[path.suffix]) for name, path in files.items()}
    api = Blueprint(f"files of {prefix}", __name__, url_prefix=prefix)

    @api.get("/<name>")
    def read_file(name: str) -> Response:
        return respond_cached(found[name]) if name in found else respond_error(_NO_FILE)

    app.register_blueprint(api)
