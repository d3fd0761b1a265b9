"""What earlier packages ask about calls, which they cannot import: each has a place to register who answers.

Called once by create_app().
"""

from webapp.calls.destination_figures import figures_of_destinations, figures_of_numbers
from webapp.calls.own_numbers import read_own_numbers
from webapp.calls.pattern_calls import count_pattern_calls
from webapp.calls.phone_systems import list_phone_systems
from webapp.calls.totals import has_calls
from webapp.calls.unnamed_parties import find_unnamed
from webapp.destinations.counted import register_counter
from webapp.destinations.figures import register_figures
from webapp.destinations.plans import register_phone_systems
from webapp.destinations.seen_numbers import register_seen_numbers
from webapp.destinations.unnamed import register_unnamed
from webapp.organizations.company import sum_by_days


def register() -> None:
    sum_by_days("calls", has_calls)
    register_figures(figures_of_destinations, figures_of_numbers)
    register_phone_systems(list_phone_systems)
    register_seen_numbers(read_own_numbers)
    register_unnamed(find_unnamed)
    register_counter(count_pattern_calls)
