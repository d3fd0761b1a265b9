"""From a parsed row to a record as it is stored: UTC instants, keys, direction of the row, and what is odd about it.

Called by importer.py, preview.py and reread.py. Pure: it asks neither the database nor the clock, but for "now".
"""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from webapp.calls.models import RecordFlag
from webapp.calls.outcomes import Direction
from webapp.clock import now_ms, to_ms
from webapp.ingest.numbers import NumberPlan
from webapp.ingest.records import ParsedRecord, maker
from webapp.ingest.settings import PbxSettings

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times are naive here until their zone is applied
_EPOCH_ORDINAL = _EPOCH.toordinal()
_HOUR_MS = 3_600_000
_DAY_MS = 86_400_000
_FIRST_LIKELY_MS = 631_152_000_000  # 1990: no phone system that we read is older
#: Two days within the years that Python and the pages can show in any zone: a row of the year 1 or 9999 is kept there.
_EARLIEST_MS, _LATEST_MS = -62_135_424_000_000, 253_402_128_000_000
_LONGEST_SECONDS = 2**31 - 1
_LONGEST_TEXT = 500  # characters of a text field that are kept; the raw row has all of it
_MINUTE_BITS, _HASH_BITS, _DAY_BITS, _LINK_BITS = 27, 36, 16, 47
_LAST_MINUTE, _DAY_MASK, _LINK_MASK = (1 << _MINUTE_BITS) - 1, (1 << _DAY_BITS) - 1, (1 << _LINK_BITS) - 1
_HOURS_REMEMBERED = 2000  # files are in order
_OUT_OF_ORDER_MS = 600_000  # rows are written at the end of a call, so starts go back a little
_EPOCH_FITS_MS = 600_000  # how far the start may lie from the epoch in an id to tell two hours apart

_DAY_SECONDS = 86_400
_ID, _LINK, _ROW = b"id", b"link", b"row"  # what a hash is for

# As plain numbers: arithmetic on flags of the enum costs a microsecond each, a million times.
_UNKNOWN, _INBOUND, _OUTBOUND, _INTERNAL = map(int, Direction)
_REPEATED_HOUR, _MISSING_HOUR = int(RecordFlag.REPEATED_HOUR), int(RecordFlag.MISSING_HOUR)
_ODD_DURATION, _ODD_TIME = int(RecordFlag.ODD_DURATION), int(RecordFlag.ODD_TIME)


class NormalRecord(NamedTuple):
    """A record as call_record stores it, but for the keys that only the writer knows. Instants in ms since 1970."""

    record_key: int
    id_hash: int
    content_hash: int
    link_keys: tuple[int, ...]
    line_number: int
    started_at: int
    answered_at: int | None
    ended_at: int | None
    duration: int
    billsec: int
    kind: int  #: a LegKind, as the plain number that both drivers take
    result: int  #: a LegResult
    direction: int  #: a Direction
    flags: int
    hangup_cause: int | None
    disposition: str
    caller: str
    caller_name: str
    dialed: str
    reached: str
    did: str
    leg_id: str
    peer_leg_id: str
    line: str
    peer_line: str
    context: str
    application: str
    queue_name: str
    account_code: str
    raw: bytes


_record = maker(NormalRecord)


class Normalizer:
    """Normalizes the rows of one phone system, in the order of one file."""

    def __init__(self, settings: PbxSettings, number_key: bytes, plan: NumberPlan | None = None) -> None:
        self.settings = settings
        self.plan = plan or NumberPlan(settings)
        self._zone = ZoneInfo(settings.time_zone)
        self._offsets: dict[int, int | None] = {}
        self._last_ms = 0
        self._latest_ms = now_ms() + _DAY_MS
        self._hash_id, self._hash_link, self._hash_row = (
            _hasher(number_key, use, settings.pbx_id) for use in (_ID, _LINK, _ROW)
        )
        self._last_links: tuple[tuple[str, ...], int, tuple[int, ...]] = ((), 0, ())

    def normalize(self, row: ParsedRecord, stored_start: int | None = None) -> NormalRecord:
        """`stored_start`: of a row that is read again, not in the order of its file: its hour was decided then."""
        # Taken apart at once: a million times thirty fields, each by its name, are seconds.
        (
            line_number, raw, pbx_record_id, link_ids, leg_id, peer_leg_id, start, answer, end, epoch, duration,
            billsec, kind, result, disposition, hangup_cause, caller, caller_name, dialed, reached, did, line,
            peer_line, context, application, queue_name, account_code, direction,
        ) = row  # fmt: skip
        local_ms = _local_ms(start)
        offset = None if start.tzinfo is not None else self._offsets.get(local_ms // _HOUR_MS)
        if offset is not None:
            started, flags = local_ms - offset, 0
            self._last_ms = started
        else:
            started, flags = self._instant(start, local_ms, epoch, stored_start)
        # The other times follow the start by what the clock shows, so that a change of hours within a call is harmless.
        answered = None if answer is None else _later(started, local_ms, answer, start)
        ended = None if end is None else _later(started, local_ms, end, start)
        if not (0 <= billsec <= _DAY_SECONDS and 0 <= duration <= _DAY_SECONDS):
            duration, billsec, flags = _within_columns(duration), _within_columns(billsec), flags | _ODD_DURATION
        if not _FIRST_LIKELY_MS <= started <= self._latest_ms:
            flags |= _ODD_TIME
            started = _possible(started)
        id_hash = self._hash_id(pbx_record_id.encode("utf-8", "surrogatepass"))
        minute = local_ms // 60_000
        if not 0 <= minute <= _LAST_MINUTE:
            minute = 0 if minute < 0 else _LAST_MINUTE
        texts = (
            disposition, caller, caller_name, dialed, reached, did, leg_id, peer_leg_id, line, peer_line, context,
            application, queue_name, account_code,
        )  # fmt: skip
        return _record(
            (
                (minute << _HASH_BITS) | (id_hash >> (63 - _HASH_BITS)), id_hash,
                self._hash_row(raw.translate(None, b'"')), self.link_keys(link_ids, local_ms // _DAY_MS),
                line_number, started, answered, ended, duration, billsec, int(kind), int(result),
                int(direction) or self._direction(line, peer_line, context, caller, dialed), flags,
                hangup_cause if hangup_cause is None or 0 <= hangup_cause < 32768 else None,
                *(texts if _are_plain(texts) else map(clean_text, texts)), raw,
            )
        )  # fmt: skip

    def link_keys(self, link_ids: tuple[str, ...], day: int) -> tuple[int, ...]:
        """16 bits of the day before 47 of the keyed hash; the rows of one call follow each other, and share them."""
        last_ids, last_day, keys = self._last_links
        if link_ids != last_ids or day != last_day:
            day_bits, hash_link = (day & _DAY_MASK) << _LINK_BITS, self._hash_link
            keys = tuple(
                [day_bits | hash_link(link.encode("utf-8", "surrogatepass")) & _LINK_MASK for link in link_ids]
            )
            self._last_links = link_ids, day, keys
        return keys

    def _instant(
        self, started: datetime, local_ms: int, epoch: int | None, stored_start: int | None
    ) -> tuple[int, int]:
        """UTC milliseconds of a start, and the flags of a night on which the clocks change."""
        if started.tzinfo is not None:
            return to_ms(started), 0
        hour = local_ms // _HOUR_MS
        try:
            offset = self._offsets[hour]
        except KeyError:
            if len(self._offsets) >= _HOURS_REMEMBERED:
                self._offsets.clear()
            offset = self._offsets[hour] = self._offset_of_hour(hour)
        if offset is not None:
            self._last_ms = local_ms - offset
            return self._last_ms, 0
        ms, flag = self._instant_in_changing_hour(local_ms, epoch, stored_start)
        self._last_ms = ms
        return ms, flag

    def _offset_of_hour(self, hour: int) -> int | None:
        """UTC offset in ms of a local hour, None where it is repeated, missing or changes within."""
        try:
            start = _EPOCH + timedelta(hours=hour)
            offsets = {
                start.replace(minute=minute, second=second, fold=fold, tzinfo=self._zone).utcoffset()
                for minute, second in ((0, 0), (15, 0), (30, 0), (45, 0), (59, 59))
                for fold in (0, 1)
            }
        except (OverflowError, ValueError):
            return 0
        return _ms(offsets.pop() or timedelta(0)) if len(offsets) == 1 else None

    def _instant_in_changing_hour(self, local_ms: int, epoch: int | None, stored_start: int | None) -> tuple[int, int]:
        """The first or second of a repeated hour by the epoch in an id, else by the order of the file."""
        local = _EPOCH + timedelta(milliseconds=local_ms)
        first, second = (
            local_ms - _ms(local.replace(fold=fold, tzinfo=self._zone).utcoffset() or timedelta(0)) for fold in (0, 1)
        )
        if first == second:
            return first, 0
        if first > second:
            # A time that the night left out: the clock was set late. Both readings are an hour off; the one that the
            # old offset gives is the instant that the phone system's clock meant.
            return first, _MISSING_HOUR
        if epoch is not None:
            for candidate in (first, second):
                if abs(candidate - epoch * 1000) <= _EPOCH_FITS_MS:
                    return candidate, 0
        if stored_start in (first, second):
            return stored_start, _REPEATED_HOUR
        if first < self._last_ms - _OUT_OF_ORDER_MS <= second:
            return second, _REPEATED_HOUR
        return first, _REPEATED_HOUR

    def _direction(self, line: str, peer_line: str, context: str, caller: str, dialed: str) -> int:
        """The Direction of a row whose format does not say it."""
        outside = self.settings.outside_lines
        if outside is None:
            return _UNKNOWN
        if line in outside or context in outside:
            return _INBOUND
        if peer_line in outside:
            return _OUTBOUND
        far = self.plan.identify(dialed, dialled_out=True)
        if far is not None and far.e164 and self.plan.is_extension(caller):
            return _OUTBOUND
        return _INTERNAL


def _local_ms(started: datetime) -> int:
    """Milliseconds from 1970 to a time as its row writes it, whatever the zone."""
    since = (started if started.tzinfo is None else started.replace(tzinfo=None)) - _EPOCH
    return (since.days * _DAY_SECONDS + since.seconds) * 1000 + since.microseconds // 1000


def _possible(ms: int) -> int:
    return min(max(ms, _EARLIEST_MS), _LATEST_MS)


def _later(started: int, local_ms: int, later: datetime, start: datetime) -> int:
    """The instant of a later time of a row that began at `start`, which is `started` and shows `local_ms`."""
    if later.tzinfo is not None and start.tzinfo is not None:
        ms = started + _ms(later - start)
    else:
        ms = started + _local_ms(later) - local_ms
    return ms if _EARLIEST_MS <= ms <= _LATEST_MS else _possible(ms)


def _ms(delta: timedelta) -> int:
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def _within_columns(seconds: int) -> int:
    return min(max(seconds, 0), _LONGEST_SECONDS)


def _hasher(number_key: bytes, use: bytes, pbx_id: int) -> Callable[[bytes], int]:
    """63 bits of the keyed hash of what it is for, whose it is, and a content: a copy goes on with the content."""
    begun = hashlib.blake2b(use + str(pbx_id).encode() + b"\x1f", key=number_key[:64], digest_size=8)

    def hashed(content: bytes) -> int:
        state = begun.copy()
        state.update(content)
        return int.from_bytes(state.digest(), "big") >> 1

    return hashed


def _are_plain(texts: tuple[str, ...]) -> bool:
    """Whether the database can hold them as they are."""
    together = "".join(texts)
    return len(together) <= _LONGEST_TEXT and together.isascii() and "\x00" not in together


def clean_text(text: str) -> str:
    """As the database can hold it."""
    # PostgreSQL keeps no NUL in text; lone surrogates have no UTF-8 form.
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT]
    if text.isascii():
        return text.replace("\x00", "") if "\x00" in text else text
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def utc(ms: int) -> datetime:
    """An aware instant for the pages, clamped to what datetime can hold."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def link_keys_of(number_key: bytes, settings: PbxSettings, links: Iterable[str], at_ms: int) -> list[int]:
    """The link keys by which records will name a call that begins about now. Formats write the day of the call in the
    phone system's zone or in UTC, and near midnight it is either of two.
    """
    normalizer = Normalizer(settings, number_key)
    around = [utc(at_ms + minutes * 60_000) for minutes in (-2, 2)]
    local = (moment.astimezone(ZoneInfo(settings.time_zone)) for moment in around)
    days = {moment.toordinal() - _EPOCH_ORDINAL for moment in (*around, *local)}
    named = tuple(links)
    return sorted(key for day in days for key in normalizer.link_keys(named, day))
