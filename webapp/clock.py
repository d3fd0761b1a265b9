"""The one place that asks what time it is. Tests move the clock with time-machine."""

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The present instant, UTC, cut to milliseconds like everything that is stored."""
    return from_ms(now_ms())


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970 of an aware instant. Raises ValueError for a naive one."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a zone")
    delta = instant - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def from_ms(ms: int) -> datetime:
    """The aware UTC instant of milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=ms)
