"""How often somebody may try what could be guessed or made a nuisance of, besides the password (sign_in.py).

A person's limit is shared by all networks from which they have not signed in lately; a network that is known for them
has one of its own. So nobody elsewhere can use up what the person needs in their own office.
"""

from webapp import rate_limits
from webapp.database.engine import Database
from webapp.errors import TooManyTries
from webapp.rate_limits import Limit

_SECOND = 1000
_DAY = 24 * 60 * 60 * _SECOND
#: Codes of the authenticator app and recovery codes: five in five minutes.
CODES = Limit("code:person", 5, 300 * _SECOND)
#: "It is still me", asked before something dangerous.
PROOFS = Limit("prove:person", 10, 60 * _SECOND)
#: Answers of passkeys of one person, and questions that one network may ask for.
PASSKEYS = Limit("passkey:person", 10, 60 * _SECOND)
PASSKEY_QUESTIONS = Limit("passkey:network", 60, 3 * _SECOND)
#: Mails with a link for a new password: five a day.
RESETS_PER_ADDRESS = Limit("reset:address", 5, _DAY // 5)
RESETS_PER_NETWORK = Limit("reset:network", 20, 300 * _SECOND, by_network=True)
#: Mails with a link that confirms an address.
CONFIRMATIONS = Limit("confirm:person", 10, _DAY // 10)
#: Links of mails that are followed or used.
LINKS = Limit("link:network", 30, 20 * _SECOND, by_network=True)
#: "I lost my phone and my codes", after the right password: each mails all owners.
FACTORS_LOST = Limit("lost-factor:person", 5, _DAY // 5)
#: Codes of people on the telephone that a member of staff types.
HELP_CODES = Limit("help-code:staff", 10, 90 * _SECOND)

_NETWORK_KNOWN_FOR_MS = 90 * _DAY


def count(database: Database, limit: Limit, who: str, network: str) -> None:
    """Count a try for a person or an address. Raises TooManyTries."""
    known = rate_limits.is_remembered(database, who, network)
    _hit(database, limit, *((who, network) if known else (who,)))


def count_network(database: Database, limit: Limit, network: str) -> None:
    """Count a try from a network. Raises TooManyTries."""
    _hit(database, limit, network)


def is_known_network(database: Database, network: str, who: str) -> bool:
    """Whether the person has signed in from here lately."""
    return rate_limits.is_remembered(database, who, network)


def remember_network(database: Database, network: str, *who: str) -> None:
    """From here the person has signed in, under each of these names."""
    for name in dict.fromkeys(who):
        rate_limits.remember(database, _NETWORK_KNOWN_FOR_MS, name, network)


def _hit(database: Database, limit: Limit, *what: str) -> None:
    wait_seconds = rate_limits.hit(database, limit, *what)
    if wait_seconds:
        raise TooManyTries(wait_seconds)
