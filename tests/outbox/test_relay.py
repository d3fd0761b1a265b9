"""TLS, sign-in and what a relay's errors mean: a real server, a certificate made for the test."""

import smtplib
import ssl
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from config import Settings
from tests.outbox.conftest import Queue, Relay, SignIn, read, running, server_context, with_relay
from webapp import clock
from webapp.database.engine import Database
from webapp.outbox.models import MailState
from webapp.outbox.relay import Trouble, judge
from webapp.outbox.sender import send_due

CREDENTIALS = "callbook:pass%3Aword%2F%201"


def make_certificate(folder: Path, address: str = "127.0.0.1") -> Path:
    """A self-signed certificate for an IP address, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay of a test")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "relay.crt"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path)


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As an operator would let this machine trust a relay of their own."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


def send(database: Database, settings: Settings, queue: Queue) -> tuple[MailState, str | None]:
    mail_id = queue()
    send_due(database, settings)
    return read(database, mail_id).state, read(database, mail_id).error


def test_starttls_and_sign_in(database: Database, settings: Settings, queue: Queue, trusted: Path) -> None:
    relay, sign_in = Relay(), SignIn()
    with running(
        relay,
        tls_context=server_context(trusted),
        require_starttls=True,
        auth_required=True,
        auth_require_tls=True,
        authenticator=sign_in,
    ):
        done = send(database, with_relay(settings, f"smtp+starttls://{CREDENTIALS}@127.0.0.1:{relay.port}"), queue)

    assert done == (MailState.HANDED_OVER, None)
    assert sign_in.seen == [(b"callbook", b"pass:word/ 1")]
    assert len(relay.mails) == 1
    assert relay.sessions[-1].ssl is not None


def test_tls_from_the_first_byte(database: Database, settings: Settings, queue: Queue, trusted: Path) -> None:
    relay = Relay()
    with running(relay, ssl_context=server_context(trusted), server_hostname="127.0.0.1"):
        done = send(database, with_relay(settings, f"smtps://127.0.0.1:{relay.port}"), queue)

    assert done == (MailState.HANDED_OVER, None)
    assert len(relay.mails) == 1


def test_a_certificate_that_is_not_trusted_gets_neither_password_nor_mail(
    database: Database, settings: Settings, queue: Queue, certificate: Path
) -> None:
    relay, sign_in = Relay(), SignIn()
    with running(relay, tls_context=server_context(certificate), authenticator=sign_in):
        done = send(database, with_relay(settings, f"smtp+starttls://{CREDENTIALS}@127.0.0.1:{relay.port}"), queue)

    assert done == (MailState.WAITING, "the relay's certificate is not trusted")
    assert (relay.mails, sign_in.seen) == ([], [])


def test_a_certificate_of_another_machine(
    database: Database, settings: Settings, queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay, other = Relay(), make_certificate(tmp_path, "192.0.2.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    with running(relay, tls_context=server_context(other)):
        done = send(database, with_relay(settings, f"smtp+starttls://127.0.0.1:{relay.port}"), queue)

    assert done == (MailState.WAITING, "the relay's certificate is not trusted")
    assert relay.mails == []


def test_a_relay_that_offers_no_starttls_gets_no_mail(
    database: Database, settings: Settings, queue: Queue, relay: Relay
) -> None:
    done = send(database, with_relay(settings, f"smtp+starttls://{CREDENTIALS}@127.0.0.1:{relay.port}"), queue)

    assert done == (MailState.WAITING, "the relay lacks TLS or sign-in")
    assert relay.mails == []


def test_a_wrong_password_waits_for_the_operator(
    database: Database, settings: Settings, queue: Queue, trusted: Path
) -> None:
    relay = Relay()
    with running(relay, tls_context=server_context(trusted), authenticator=SignIn(), auth_require_tls=True):
        done = send(database, with_relay(settings, f"smtp+starttls://callbook:wrong@127.0.0.1:{relay.port}"), queue)

    assert done == (MailState.WAITING, "535 at sign-in to the relay")


def test_a_relay_that_wants_a_sign_in_and_gets_none(
    database: Database, settings: Settings, queue: Queue, trusted: Path
) -> None:
    relay = Relay()
    with running(relay, tls_context=server_context(trusted), authenticator=SignIn(), auth_required=True):
        done = send(database, with_relay(settings, f"smtp+starttls://127.0.0.1:{relay.port}"), queue)

    assert done == (MailState.WAITING, "530 for MAIL_FROM")


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (
            smtplib.SMTPRecipientsRefused({"a@example.com": (550, b"no a@example.com")}),
            Trouble("550 refused by the relay", for_good=True),
        ),
        (smtplib.SMTPRecipientsRefused({"a@example.com": (450, b"later")}), Trouble("450 not now, says the relay")),
        (
            smtplib.SMTPRecipientsRefused({"a@example.com": (530, b"sign in")}),
            Trouble("530: the relay wants a sign-in", of_relay=True),
        ),
        (smtplib.SMTPDataError(452, b"full"), Trouble("452 not now, says the relay")),
        (smtplib.SMTPDataError(421, b"bye"), Trouble("421 not now, says the relay", of_relay=True)),
        (smtplib.SMTPSenderRefused(553, b"no", "x@example.com"), Trouble("553 for MAIL_FROM", of_relay=True)),
        (smtplib.SMTPServerDisconnected("x"), Trouble("no connection: SMTPServerDisconnected", of_relay=True)),
        (smtplib.SMTPConnectError(554, b"no"), Trouble("554 from the relay", of_relay=True)),
        (TimeoutError("x"), Trouble("no connection: TimeoutError", of_relay=True)),
        (ssl.SSLError("x"), Trouble("no connection: SSLError", of_relay=True)),
        (smtplib.SMTPNotSupportedError("needs SMTPUTF8"), Trouble("the relay takes no such address", for_good=True)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.words,
)
def test_what_an_error_means(error: Exception, trouble: Trouble) -> None:
    assert judge(error) == trouble


def test_a_relay_that_says_no_goodbye_changes_nothing(
    database: Database, mailing: Settings, queue: Queue, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang_up(_self: smtplib.SMTP) -> None:
        raise smtplib.SMTPServerDisconnected("gone")

    quit_: Callable[..., object] = hang_up
    monkeypatch.setattr(smtplib.SMTP, "quit", quit_)

    assert send(database, mailing, queue) == (MailState.HANDED_OVER, None)
