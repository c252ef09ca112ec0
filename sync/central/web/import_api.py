"""Documents of the hospital's system over HTTP: one is sent, and asked for what became of it."""

from http import HTTPStatus
from typing import Literal

import msgspec
from flask import Blueprint, Response, request

from sync.central.centre import Centre
from sync.central.intake.imports import ANSWER_S, MAX_BYTES, TOO_LARGE, Imports, ImportState, show_import
from sync.central.intake.order import Order
from sync.central.network.headers import JSON
from sync.central.records.tokens import Bearer
from sync.central.services.authentication import authenticate
from sync.central.services.errors import ApiError
from sync.central.services.told import Told
from sync.central.web.contract import Contract
from sync.central.web.endpoints import Endpoints, read_query, requester_of
from sync.central.web.http import respond_error
from sync.central.web.senders import header_token
from sync.control import socket_path
from sync.journey.model import Role

CSV = "text/csv"
_FORMS: dict[str, Literal["JSON", "CSV"]] = {JSON: "JSON", CSV: "CSV"}
_ROLES = (Role.INTEGRATION,)
_OTHER_TYPE = ApiError("unsupported_media_type", f"The body must be {JSON} or {CSV}.")
_CUT = ApiError("too_slow", "The document did not come whole, and nothing was taken.")
_ASK_AGAIN_S = 2


class ImportQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How a document is to be taken, as the options of `kiosk-central import` say it. Lists have commas.

    `kind`, `encoding` and `ignore_columns` are for CSV.
    """

    kind: Literal["", "exams", "patients", "appointments"] = ""
    encoding: str = ""
    ignore_columns: str = ""
    complete_days: str = ""
    strict: bool = False
    check: bool = False
    force: bool = False


def import_api(centre: Centre, endpoints: Endpoints) -> Blueprint:
    """The routes under /api/v1/import/, which the token of an integration opens."""
    api = Blueprint("import", __name__, url_prefix="/api/v1/import")
    imports = Imports(centre)
    contract = Contract(
        "Send a document", ImportState, _ROLES, query=ImportQuery, takes=(JSON, CSV), goes_on=True, refuses=("busy",)
    )

    @api.post("/")
    @endpoints.documented(contract)
    def send() -> Response:
        sender = authenticate(centre, header_token(), _ROLES, request.remote_addr)
        order = sender if isinstance(sender, ApiError) else _order(centre, sender)
        if isinstance(order, ApiError):
            return respond_error(order)
        assert not isinstance(sender, ApiError)
        return _begin(centre, endpoints, imports, sender, order)

    @api.get("/<import_id>/")
    @endpoints.endpoint("Show what became of a document", ImportState, Role.INTEGRATION)
    def show(_: Bearer, import_id: str) -> Told | ApiError:
        return show_import(centre, import_id)

    return api


def _order(centre: Centre, sender: Bearer) -> Order | ApiError:
    """How the document of the request is to be taken."""
    form = _FORMS.get(request.mimetype)
    if form is None:
        return _OTHER_TYPE
    if (request.content_length or 0) > MAX_BYTES:
        return TOO_LARGE
    # A mistyped `strict` or `complete_days` would take the document in another way than is meant.
    known = [field.encode_name for field in msgspec.structs.fields(ImportQuery)]
    unknown = next((name for name in request.args if name not in known), None)
    if unknown is not None:
        return ApiError("malformed", f"{unknown!a} is no parameter of an import: {', '.join(known)}.")
    query = read_query(ImportQuery)
    if isinstance(query, ApiError):
        return query
    return Order(
        socket=str(socket_path(centre.store.place.state)),
        name="the document",
        by=sender.who,
        form=form,
        encoding=query.encoding or (request.mimetype_params.get("charset") if form == "CSV" else None),
        kind=query.kind or None,
        ignored_columns=_names(query.ignore_columns),
        complete_days=_names(query.complete_days),
        strict=query.strict,
        check=query.check,
        force=query.force,
    )


def _begin(centre: Centre, endpoints: Endpoints, imports: Imports, sender: Bearer, order: Order) -> Response:
    """Takes the document over. A small one is answered with its report, and a large one with the place to ask."""
    try:
        began = imports.receive(request.environ["wsgi.input"], order)
    except ConnectionError:
        return respond_error(_CUT)
    if isinstance(began, ApiError):
        return respond_error(began)
    has_ended = began.has_ended.wait(ANSWER_S)
    response = endpoints.answer(requester_of(sender), show_import(centre, began.import_id))
    if not has_ended:
        response.status_code = HTTPStatus.ACCEPTED
        response.headers["Retry-After"] = str(_ASK_AGAIN_S)
    response.headers["Location"] = f"/api/v1/import/{began.import_id}/"
    return response


def _names(given: str) -> tuple[str, ...]:
    return tuple(name for each in given.split(",") if (name := each.strip()))
