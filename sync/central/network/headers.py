"""The headers that every response of the centre bears, and the type of its bodies."""

JSON = "application/json"
SECURITY = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    (
        "Content-Security-Policy",
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
# A year (RFC 6797). Without subdomains: the centre's host may be the domain of a whole hospital.
HTTPS_ONLY = ("Strict-Transport-Security", "max-age=31536000")
NO_STORE = ("Cache-Control", "no-store")
