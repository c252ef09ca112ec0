"""The kinds of requests that are counted apart. The set is closed: a path is the client's invention."""

METRICS_PATH = "/metrics"
OTHER = "other"
UNTIMED = frozenset({"pull", "socket", "events", "import"})  # they wait for news, or for a document of any size
_WAYS = {
    "/api/v1/patient-journey/perform-action": "action",
    "/api/v1/patient-journey/perform_action": "action",
    "/api/v1/patient-journey/current-state": "state",
    "/api/v1/patient-journey/current_state": "state",
    "/api/v1/sync/push": "push",
    "/api/v1/sync/pull": "pull",
    "/api/v1/events": "events",
    "/api/v1/import": "import",
    "/ws/patient-journey": "socket",
    "/ws/board": "socket",
    "/ws/inbox": "socket",
}


def way_of(target: str) -> str:
    """The kind of a request, by its path and query as they were sent."""
    return _WAYS.get(target.partition("?")[0].rstrip("/"), OTHER)
