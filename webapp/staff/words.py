"""How the console spells sizes and days. Pure; filters of its templates."""

from datetime import date, timedelta

_STEP = 1000
_UNITS = ("B", "kB", "MB", "GB", "TB")


def format_size(count: int) -> str:
    """0 -> "0 B", 1284 -> "1.3 kB", 5_400_000_000 -> "5.4 GB"."""
    size, unit = float(count), 0
    while round(size, 1) >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{count} B" if not unit else f"{size:,.1f} {_UNITS[unit]}"


def day_of(number: int) -> date:
    """The day of a number of days since 1970."""
    return date(1970, 1, 1) + timedelta(days=number)
