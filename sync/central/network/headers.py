"""The headers that every response of the centre bears, and the type of its bodies."""

JSON = "application/json"
REQUEST_ID = "X-Request-ID"  # of a request and of the answer to it


def content_policy(*more: str) -> str:
    """The policy of a response that loads nothing, and of a page that needs a little more."""
    return "; ".join(("default-src 'none'", *more, "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"))


SECURITY = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", content_policy()),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
# A year (RFC 6797). Without subdomains: the centre's host may be the domain of a whole hospital.
HTTPS_ONLY = ("Strict-Transport-Security", "max-age=31536000")
NO_STORE = ("Cache-Control", "no-store")
