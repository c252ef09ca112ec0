"""Requests that the application answers without some of Flask's own steps."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from sync.central.web.app import create_app
from sync.central.web.http import MAX_BODY
from sync.central.web.socket_places import SocketPlaces
from sync.journey.model import Role
from tests.sync.central.centre import Centre

PERFORM = "/api/v1/patient-journey/perform-action/"


@pytest.fixture
def client(centre: Centre) -> FlaskClient:
    return create_app(centre.parts, SocketPlaces(1)).test_client()


def test_a_head_request_gets_the_length_without_the_body(client: FlaskClient):
    whole, head = client.get("/healthz"), client.head("/healthz")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.data))


def test_an_options_request_gets_the_methods_of_its_route(client: FlaskClient):
    answer = client.options("/healthz")
    assert (answer.status_code, answer.data) == (200, b"")
    assert {"GET", "HEAD"} <= set(answer.allow)


def test_definitions_that_have_not_changed_are_not_sent_again(client: FlaskClient):
    first = client.get("/api/v1/state-definitions/")
    again = client.get("/api/v1/state-definitions/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert "Content-Length" not in again.headers


def test_a_method_that_a_route_does_not_have_is_refused_with_those_that_it_has(client: FlaskClient):
    answer = client.get(PERFORM)
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, {"OPTIONS", "POST"})


@pytest.mark.parametrize("size", [MAX_BODY + 1, 1 << 40])
def test_a_body_that_is_announced_too_large_is_refused_unread(centre: Centre, client: FlaskClient, size: int):
    token = centre.token(Role.STAFF, name="desk")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = client.post(PERFORM, headers=headers, environ_overrides={"CONTENT_LENGTH": str(size)})
    assert answer.status_code == 413
