"""Page or part of it: answers htmx and plain browsers from the same view.

htmx-flask reads the headers that htmx 2 knew; HX-Request-Type (htmx 4) is read here. Never its `reswap`: it is wrong.
Cache-Control and Vary of every answer are set in headers.py.
"""

from typing import Any

from flask import Response, make_response, redirect, render_template
from htmx_flask import make_response as make_htmx_response
from htmx_flask import request

from webapp.addresses import own_path


def asked() -> bool:
    """Whether htmx (or app.js in its name) sent this request, for a part or for a page."""
    return bool(request.htmx)


def wants_part() -> bool:
    """Whether htmx will put the answer into a region of the page. A restored page and a boosted link want all of it."""
    return (
        asked()
        and request.headers.get("HX-Request-Type") == "partial"
        and not request.htmx.history_restore_request
        and not request.htmx.boosted
    )


def render(page: str, part: str, *, status: int = 200, replace_url: str | None = None, **context: Any) -> Response:
    """The template `part` when htmx asks for it, else `page`, which includes it.

    `replace_url`: the address that the browser shows from now on, so that Back and reload return to the same rows.
    """
    response = make_response(render_template(part if wants_part() else page, **context), status)
    if replace_url is not None and wants_part():
        response.headers["HX-Replace-Url"] = _checked(replace_url)
    return response


def go_to(address: str) -> Response:
    """Send the browser to a page of ours: 303 to a form; a header to htmx, which would follow a 3xx into its region."""
    address = _checked(address)
    if asked():
        answer: Response = make_htmx_response("", 204, location=address)
        return answer
    return make_response(redirect(address, 303))


def _checked(address: str) -> str:
    if own_path(address) is None:
        raise ValueError("not a path of this service")
    return address
