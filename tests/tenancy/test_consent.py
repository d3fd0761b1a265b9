"""What a grant allows at an instant: never more than was asked, never outside its hours, never once it is ended."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.database.staff_rights import EVERYTHING, NOTHING, Area
from webapp.errors import Refused
from webapp.tenancy.consent import (
    AREA_LABELS,
    BEGINS_WITHIN,
    LONGEST_HOURS,
    OPEN_FOR,
    GrantState,
    Terms,
    check_terms,
    check_within,
    end_of,
    find_start,
    grant_state,
    open_areas,
    opens_until,
    request_state,
    tell_areas,
    tell_hours,
    tell_terms,
    terms_of_grant,
)
from webapp.tenancy.consent_models import AccessGrant, AccessOpening, AccessRequest, RequestState

START = datetime(2026, 5, 4, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
STELLA, STEVEN = 1, 2


def grant(terms: Terms, starts_at: datetime = START, **fields: object) -> AccessGrant:
    values = {"id": 7, "staff_id": STELLA, "ended_at": None, **fields}
    return AccessGrant(
        areas=terms.areas,
        full_numbers=terms.full_numbers,
        may_download=terms.may_download,
        starts_at=starts_at,
        ends_at=end_of(starts_at, terms),
        **values,
    )


def opening(opened_at: datetime, until_at: datetime, **fields: object) -> AccessOpening:
    values = {"id": 9, "grant_id": 7, "staff_id": STELLA, "web_session_id": 3, "ended_at": None, **fields}
    return AccessOpening(opened_at=opened_at, until_at=until_at, **values)


ASKED = Terms(Area.CALLS | Area.PEOPLE, full_numbers=True, may_download=False, hours=8)


def test_less_is_within_what_was_asked() -> None:
    check_within(ASKED, ASKED)
    check_within(Terms(Area.PEOPLE, full_numbers=False, may_download=False, hours=1), ASKED)


@pytest.mark.parametrize(
    ("given_terms", "field"),
    [
        (Terms(ASKED.areas | Area.SOURCES, True, False, 8), "areas"),
        (Terms(Area.DESTINATIONS, True, False, 8), "areas"),
        (Terms(NOTHING, True, False, 8), "areas"),
        (Terms(Area(16), True, False, 8), "areas"),
        (Terms(ASKED.areas, True, True, 8), "may_download"),
        (Terms(ASKED.areas, True, False, 9), "hours"),
        (Terms(ASKED.areas, True, False, 0), "hours"),
        (Terms(ASKED.areas, True, False, -3), "hours"),
    ],
)
def test_more_is_refused_with_its_field(given_terms: Terms, field: str) -> None:
    with pytest.raises(Refused) as refused:
        check_within(given_terms, ASKED)
    assert refused.value.field == field


def test_full_numbers_are_more_than_masked_ones() -> None:
    with pytest.raises(Refused) as refused:
        check_within(ASKED, Terms(ASKED.areas, full_numbers=False, may_download=False, hours=8))
    assert refused.value.field == "numbers"


@pytest.mark.parametrize("hours", [0, LONGEST_HOURS + 1])
def test_nobody_asks_for_longer_than_three_days(hours: int) -> None:
    check_terms(Terms(EVERYTHING, True, True, LONGEST_HOURS))
    with pytest.raises(Refused):
        check_terms(Terms(EVERYTHING, True, True, hours))


def test_the_hours_start_now_or_within_a_week() -> None:
    assert find_start(None, START) == START
    assert find_start(START - timedelta(minutes=2), START) == START, "a minute that passed while the form was read"
    assert find_start(START + BEGINS_WITHIN, START) == START + BEGINS_WITHIN
    for wrong in (START - timedelta(minutes=6), START + BEGINS_WITHIN + timedelta(minutes=1)):
        with pytest.raises(Refused) as refused:
            find_start(wrong, START)
        assert refused.value.field == "starts"


def test_no_answer_in_time_is_a_refusal() -> None:
    request = AccessRequest(state=RequestState.WAITS, expires_at=START)
    assert request_state(request, START - timedelta(milliseconds=1)) == RequestState.WAITS
    assert request_state(request, START) == RequestState.UNANSWERED
    request.state = RequestState.ALLOWED
    assert request_state(request, START + HOUR) == RequestState.ALLOWED


def test_a_grant_goes_through_its_states() -> None:
    allowed = grant(ASKED)
    assert grant_state(allowed, START - timedelta(milliseconds=1)) is GrantState.COMING
    assert grant_state(allowed, START) is GrantState.LIVE
    assert grant_state(allowed, START + 8 * HOUR - timedelta(milliseconds=1)) is GrantState.LIVE
    assert grant_state(allowed, START + 8 * HOUR) is GrantState.OVER
    allowed.ended_at = START + HOUR
    assert grant_state(allowed, START + 2 * HOUR) is GrantState.ENDED
    assert terms_of_grant(allowed) == ASKED


def test_it_opens_for_two_hours_and_never_beyond() -> None:
    allowed = grant(ASKED)
    assert opens_until(allowed, STELLA, START) == START + OPEN_FOR
    assert opens_until(allowed, STELLA, START + 7 * HOUR) == START + 8 * HOUR
    assert opens_until(allowed, STELLA, START + 8 * HOUR) is None
    assert opens_until(allowed, STELLA, START - HOUR) is None
    assert opens_until(allowed, STEVEN, START) is None, "somebody else of staff"
    assert opens_until(grant(ASKED, staff_id=None), STEVEN, START) == START + OPEN_FOR


def test_another_grants_opening_opens_nothing() -> None:
    assert open_areas(grant(ASKED), opening(START, START + HOUR, grant_id=8), START) == NOTHING


def test_the_words() -> None:
    assert tell_areas(Area.CALLS) == "the call log"
    assert tell_terms(ASKED) == "the call log; people and invitations; with full numbers; without downloads"
    assert (tell_hours(1), tell_hours(8)) == ("1 hour", "8 hours")
    assert set(AREA_LABELS) == set(Area)


# ------------------------------------------------------------------------- against brute force, minute by minute

terms = st.builds(
    Terms,
    areas=st.integers(1, 15).map(Area),
    full_numbers=st.booleans(),
    may_download=st.booleans(),
    hours=st.integers(1, 6),
)
minutes = st.integers(-120, 600)


def after(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


@settings(max_examples=300, deadline=None)
@given(
    asked=terms,
    wanted=terms,
    starts=st.integers(0, 120),
    opened=minutes,
    grant_ended=st.none() | minutes,
    opening_ended=st.none() | minutes,
    who=st.sampled_from([STELLA, STEVEN]),
    whose=st.sampled_from([None, STELLA]),
)
def test_what_is_open_is_what_a_clock_says(
    asked: Terms,
    wanted: Terms,
    starts: int,
    opened: int,
    grant_ended: int | None,
    opening_ended: int | None,
    who: int,
    whose: int | None,
) -> None:
    less = (
        wanted.areas & ~asked.areas == 0
        and wanted.full_numbers <= asked.full_numbers
        and wanted.may_download <= asked.may_download
        and wanted.hours <= asked.hours
    )
    try:
        check_within(wanted, asked)
    except Refused:
        assert not less
        return
    assert less
    allowed = grant(wanted, after(starts), staff_id=whose)
    until = opens_until(allowed, who, after(opened))
    may_open = starts <= opened < starts + 60 * wanted.hours and whose in (None, who)
    assert (until is not None) == may_open
    if until is None:
        return
    opening_row = opening(after(opened), until, staff_id=who)
    if grant_ended is not None:
        allowed.ended_at = after(grant_ended)
    if opening_ended is not None:
        opening_row.ended_at = after(opening_ended)
    shown = 0
    for minute in range(-120, 1000, 7):
        seen = open_areas(allowed, opening_row, after(minute))
        assert seen & ~asked.areas == 0
        is_open = (
            opened <= minute < min(opened + 120, starts + 60 * wanted.hours)
            and grant_ended is None
            and opening_ended is None
        )
        assert seen == (wanted.areas if is_open else NOTHING), minute
        shown += 7 * bool(seen)
    assert shown <= min(120 + 7, 60 * asked.hours + 7)
