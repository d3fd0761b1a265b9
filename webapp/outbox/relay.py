"""The one place that speaks SMTP: to the relay of SMTP_URL and to nobody else (SECURITY 53).

with open_relay(settings) as relay:
    hand_over(relay, mail, "calls@example.com", "olive@example.com")

Called by sender.py and by `flask check`. Certificates are checked against those that this machine trusts.
"""

import contextlib
import ipaddress
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import SplitResult, unquote, urlsplit

from config import Settings

#: For each answer of the relay.
TIMEOUT_SECONDS = 20
#: What a relay that does not do its part raises. ValueError: an address or password that SMTP cannot carry.
RELAY_ERRORS = (OSError, smtplib.SMTPException, ValueError)
Relay = smtplib.SMTP  #: a connection to it, for those who only pass it on
_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


@dataclass(frozen=True)
class Trouble:
    """What an error of the relay means for the mail in hand. `words` name no address and quote no relay."""

    words: str
    for_good: bool = False  #: this mail will never be taken
    of_relay: bool = False  #: no other mail would be taken now either


@contextmanager
def open_relay(settings: Settings) -> Iterator[Relay]:
    """A connection, with TLS and signed in as SMTP_URL says. Raises one of RELAY_ERRORS."""
    assert settings.smtp_url is not None
    relay = _connect(urlsplit(settings.smtp_url), _own_name(settings.base_url))
    try:
        yield relay
    finally:
        # What was handed over was answered for. Whether the relay says goodbye nicely changes nothing.
        with contextlib.suppress(*RELAY_ERRORS):
            relay.quit()
        relay.close()


def _connect(parts: SplitResult, own_name: str) -> Relay:
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    context = ssl.create_default_context()
    relay: Relay
    if parts.scheme == "smtps":
        relay = smtplib.SMTP_SSL(host, port, own_name, timeout=TIMEOUT_SECONDS, context=context)
    else:
        relay = smtplib.SMTP(host, port, own_name, timeout=TIMEOUT_SECONDS)
    try:
        if parts.scheme == "smtp+starttls":
            relay.starttls(context=context)  # raises where the relay has none: nothing goes in the clear instead
        if parts.username:
            relay.login(unquote(parts.username), unquote(parts.password or ""))
    except BaseException:
        relay.close()
        raise
    return relay


def _own_name(base_url: str) -> str:
    """What we call ourselves in EHLO. smtplib would ask a name server instead."""
    name = urlsplit(base_url).hostname or "localhost"
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


def hand_over(relay: Relay, mail: EmailMessage, sender: str, recipient: str) -> None:
    """Returns once the relay has answered that it has the mail. Raises one of RELAY_ERRORS."""
    relay.send_message(mail, from_addr=sender, to_addrs=[recipient])


def judge(error: Exception) -> Trouble:
    """Of one of RELAY_ERRORS: whose fault it is, and whether waiting helps."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        [(code, _text)] = error.recipients.values()
        return _of_mail(code)
    if isinstance(error, smtplib.SMTPDataError):
        return _of_mail(error.smtp_code)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        if "SMTPUTF8" in str(error):
            return Trouble("the relay takes no such address", for_good=True)
        return Trouble("the relay lacks TLS or sign-in", of_relay=True)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Trouble(f"{error.smtp_code} at sign-in to the relay", of_relay=True)
    if isinstance(error, smtplib.SMTPSenderRefused):
        return Trouble(f"{error.smtp_code} for MAIL_FROM", of_relay=True)
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
        return Trouble(f"{error.smtp_code} from the relay", of_relay=True)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble("the relay's certificate is not trusted", of_relay=True)
    return Trouble(f"no connection: {type(error).__name__}", of_relay=True)


def _of_mail(code: int) -> Trouble:
    """421: the relay closes. 530: it wants a sign-in. Other 4xx: not now; other 5xx: never."""
    if code == 530:
        return Trouble("530: the relay wants a sign-in", of_relay=True)
    if code >= 500:
        return Trouble(f"{code} refused by the relay", for_good=True)
    return Trouble(f"{code} not now, says the relay", of_relay=code == 421)
