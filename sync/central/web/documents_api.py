"""The documents of the interface: OpenAPI for HTTP, AsyncAPI for the socket, and a page to read them offline."""

from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Blueprint, Flask, Response

from sync.central.services.door import publish, publish_text
from sync.central.services.told import AboutNobody
from sync.central.web.asyncapi import asyncapi_document
from sync.central.web.contract import Contract, Contracts
from sync.central.web.http import Cached, respond_cached
from sync.central.web.openapi import openapi_document
from sync.central.web.reference import HEADERS, HTML, reference_page


def add_documents_api(app: Flask, contracts: Contracts) -> None:
    """Adds the documents of an application, which are made when they are first asked for."""
    api = Blueprint("documents", __name__, url_prefix="/api/v1")

    @cache
    def openapi() -> Cached:
        return Cached(publish(AboutNobody(openapi_document(app, contracts))))

    @cache
    def asyncapi() -> Cached:
        return Cached(publish(AboutNobody(asyncapi_document())))

    @cache
    def page() -> Cached:
        written = reference_page(openapi_document(app, contracts), asyncapi_document())
        return Cached(publish_text(written), HTML, HEADERS)

    _add(api, contracts, "/openapi.json", openapi, Contract("Read this document", dict[str, Any], is_cached=True))
    _add(api, contracts, "/asyncapi.json", asyncapi, Contract("Read the socket's", dict[str, Any], is_cached=True))
    _add(api, contracts, "/reference/", page, Contract("Read both as a page", str, media=HTML, is_cached=True))
    app.register_blueprint(api)


def _add(api: Blueprint, contracts: Contracts, path: str, document: Callable[[], Cached], contract: Contract) -> None:
    def view() -> Response:
        return respond_cached(document())

    contracts.add(view, contract)
    api.add_url_rule(path, path.strip("/").partition(".")[0], view)
