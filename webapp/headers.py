"""The headers of every answer, errors and redirects too. Registered by create_app()."""

from flask import Flask, Response, request

from webapp import addresses
from webapp.services import services

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: over https Flask-WTF wants to see our own host there.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "X-Frame-Options": "DENY",
}
VARY = "HX-Request, HX-Request-Type, Cookie"
_HSTS = "max-age=31536000; includeSubDomains"
_FOR_EVER = "public, max-age=31536000, immutable"


def register(app: Flask) -> None:
    app.after_request(_set_headers)


def _set_headers(response: Response) -> Response:
    for name, value in ALWAYS.items():
        response.headers[name] = value
    if services().settings.secure:
        response.headers["Strict-Transport-Security"] = _HSTS
    if request.endpoint == "static" and response.status_code in (200, 206, 304):
        response.headers["Cache-Control"] = _FOR_EVER if _is_current_version() else "no-cache"
    else:
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = VARY
    return response


def _is_current_version() -> bool:
    filename = (request.view_args or {}).get("filename", "")
    return request.args.get("v", "") == addresses.static_version(filename)
