"""What queries and actions raise when they cannot do what was asked. They know no HTTP; error_pages.py maps them.

`sentence` is for the person at the screen: what happened, what is safe, what to do. Without one the page has its own.
"""


class CallbookError(Exception):
    """Something a person can be told about."""

    def __init__(self, sentence: str = "") -> None:
        self.sentence = sentence
        super().__init__(sentence)


class NotFound(CallbookError):
    """There is no such thing in the bound organization: 404, whether it is another's or nobody's."""


class Forbidden(CallbookError):
    """The person's role is too small: 403."""


class Suspended(CallbookError):
    """The organization is suspended: 403 for its people, who read why. `name` is the organization's.

    `owned`: its name in addresses, for one of its owners, to whom Support, Takeout and closing it stay open; else "".
    """

    def __init__(self, name: str, reason: str, owned: str = "") -> None:
        super().__init__(reason)
        self.name = name
        self.owned = owned


class Closed(CallbookError):
    """An owner closed the organization, and it is not erased yet: 403 for its people. `name` and `slug` are its own."""

    def __init__(self, name: str, slug: str, erased_on: str) -> None:
        super().__init__(erased_on)
        self.name, self.slug = name, slug


class Gone(CallbookError):
    """What was asked for is no more, and asking again is of no use: 410."""


class BadRequest(CallbookError):
    """The request makes no sense and no form of ours sends it: 400."""


class NotSignedIn(CallbookError):
    """A part of a page was asked for by nobody who is signed in: 401."""


class TooLarge(CallbookError):
    """What was sent is larger than is taken: 413."""


class Refused(CallbookError):
    """A rule forbids what was asked: 422. `field` names the field that it belongs to, "" if none."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class TooManyTries(CallbookError):
    """A limit is used up: 429. `wait_seconds` until the next try is taken."""

    def __init__(self, wait_seconds: int, sentence: str = "") -> None:
        super().__init__(sentence)
        self.wait_seconds = wait_seconds


class NoSpace(CallbookError):
    """The disk is full, or would be: 507."""
