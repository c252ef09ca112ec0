"""The modules of the client library, for pages that load them from the centre."""

from flask import Blueprint, Flask, Response

from sync.central.services.door import publish_text
from sync.central.services.errors import ApiError
from sync.central.web.contract import Contract, Contracts
from sync.central.web.http import Cached, respond_cached, respond_error
from sync.client import modules

_SCRIPT = "text/javascript; charset=utf-8"
_NO_MODULE = ApiError("not_found", "The client library has no such module.")
_MODULE = Contract("Read a module of the client library", str, media=_SCRIPT, is_cached=True)


def add_client_api(app: Flask, contracts: Contracts) -> None:
    """Adds the modules of the library, which are read once."""
    api = Blueprint("client", __name__, url_prefix="/client")
    found = {name: Cached(publish_text(path.read_text("utf-8")), _SCRIPT) for name, path in modules().items()}

    @api.get("/<module>")
    def read_module(module: str) -> Response:
        return respond_cached(found[module]) if module in found else respond_error(_NO_MODULE)

    contracts.add(read_module, _MODULE)
    app.register_blueprint(api)
