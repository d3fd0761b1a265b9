"""Every setting of Callbook, read from the environment and checked once.

Read by wsgi.py, the commands and the tests. `NAME` may be given as `NAME_FILE`, the path of a file that holds it.
A wrong setting is refused at start by its name, all wrong ones at once.
"""

import ipaddress
import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAKE_A_KEY = "python3 -c 'import secrets; print(secrets.token_hex(32))'"
ROOT = Path(__file__).resolve().parent
#: What seals backups, and all that nobody else on the machine may read.
OF_BACKUPS = ("BACKUP_KEY", "BACKUP_PASSPHRASE")
_URLS = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_STAFF_URL", "DATABASE_DUMP_URL", "SMTP_URL")
SECRETS = ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "NUMBER_KEY", *OF_BACKUPS, *_URLS)


class SettingsError(Exception):
    """One or more settings are wrong. `problems` maps the setting's name to a sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__("\n".join(f"{name}: {sentence}" for name, sentence in problems.items()))


@dataclass(frozen=True)
class Settings:
    """Checked settings. Secrets are bytes; `number_key` is read from DATA_DIR/number_key when NUMBER_KEY is not set."""

    database_url: str
    database_owner_url: str | None
    database_staff_url: str | None
    number_key: bytes | None
    secret_key: str
    data_dir: Path
    host: str
    port: int
    base_url: str
    trusted_hosts: tuple[str, ...]
    trusted_proxy: str | None
    smtp_url: str | None
    mail_from: str | None
    secret_key_fallbacks: tuple[str, ...] = ()  #: earlier keys: what they signed or sealed still counts
    demo: bool = False
    staff_networks: tuple[Network, ...] = ()  #: from which the console answers; none: from everywhere
    database_dump_url: str | None = None  #: PostgreSQL: the role that backups read with
    backup_folder: Path | None = None
    backup_passphrase: str | None = None
    backup_key: bytes | None = None
    backup_keep_days: int = 7  #: backups that stay: the last one of so many days, weeks and months
    backup_keep_weeks: int = 4
    backup_keep_months: int = 3
    policy_file: Path | None = None  #: what the operator's policies are filled in with; None: DATA_DIR/policy.toml

    @property
    def secure(self) -> bool:
        """Whether people reach the service by https."""
        return self.base_url.startswith("https://")

    @property
    def dialect(self) -> str:
        return "sqlite" if self.database_url.startswith("sqlite") else "postgresql"


def load_settings(environ: Mapping[str, str] | None = None, *, demo: bool = False) -> Settings:
    """Read and check all settings. Raises SettingsError."""
    problems: dict[str, str] = {}
    value = _reader(os.environ if environ is None else environ, problems)
    data_dir = Path(value("DATA_DIR") or "instance").resolve()
    database_name = "demo.sqlite" if demo else "callbook.sqlite"
    host = value("HOST") or "127.0.0.1"
    port = _port(value("PORT"), problems)
    base_url = (value("BASE_URL") or f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}").rstrip("/")  # noqa: S104 - compared, not bound
    _check_base_url(base_url, problems)
    policy_file = value("POLICY_FILE")
    settings = Settings(
        database_url=_database_url(
            "DATABASE_URL", value("DATABASE_URL") or f"sqlite:///{data_dir / database_name}", problems
        ),
        database_owner_url=_other_url("DATABASE_OWNER_URL", value("DATABASE_OWNER_URL"), problems),
        database_staff_url=_other_url("DATABASE_STAFF_URL", value("DATABASE_STAFF_URL"), problems),
        number_key=_number_key(value("NUMBER_KEY"), problems),
        secret_key=_secret_key(value("SECRET_KEY") or "", problems),
        data_dir=data_dir,
        host=host,
        port=port,
        base_url=base_url,
        trusted_hosts=_trusted_hosts(value("TRUSTED_HOSTS"), base_url),
        trusted_proxy=_trusted_proxy(value("TRUSTED_PROXY"), problems),
        smtp_url=_smtp_url(value("SMTP_URL"), problems),
        mail_from=_mail_from(value("MAIL_FROM"), problems),
        secret_key_fallbacks=_fallbacks(value("SECRET_KEY_FALLBACKS"), problems),
        demo=demo,
        staff_networks=_staff_networks(value("STAFF_NETWORKS"), problems),
        database_dump_url=_other_url("DATABASE_DUMP_URL", value("DATABASE_DUMP_URL"), problems),
        policy_file=Path(policy_file).resolve() if policy_file else None,
        **_backup_settings(value, problems),
    )
    if not settings.database_url.startswith("sqlite") and demo:
        problems["DATABASE_URL"] = "the demo keeps its own SQLite file; unset it, or use `make serve`."
    if problems:
        raise SettingsError(problems)
    return settings


def _reader(environ: Mapping[str, str], problems: dict[str, str]) -> Callable[[str], str | None]:
    """What gives a setting by its name, from the environment or from the file that the environment names."""

    def value(name: str) -> str | None:
        path = environ.get(f"{name}_FILE")
        if not path:
            return environ.get(name) or None
        try:
            return Path(path).read_text("utf-8").strip()
        except OSError as error:
            problems[f"{name}_FILE"] = f"cannot be read: {error.strerror}."
            return None

    return value


def list_open_files(environ: Mapping[str, str], names: Iterable[str] = SECRETS) -> dict[str, str]:
    """Files of secrets that everybody on the machine may read: a sentence by the setting's name."""
    files = {f"{name}_FILE": Path(environ[f"{name}_FILE"]) for name in names if environ.get(f"{name}_FILE")}
    return {
        name: f"everybody on this machine may read {path}. Run: chmod o= {path}"
        for name, path in files.items()
        if path.stat().st_mode & stat.S_IRWXO
    }


def _trusted_hosts(text: str | None, base_url: str) -> tuple[str, ...]:
    if text:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return tuple({urlsplit(base_url).hostname or "", *(("127.0.0.1", "localhost") if is_loopback(base_url) else ())})


def _port(text: str | None, problems: dict[str, str]) -> int:
    if text is None:
        return 8080
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        problems["PORT"] = f"{text!r} is no port. Give a number from 1 to 65535."
        return 8080
    return int(text)


def is_loopback(url: str) -> bool:
    """Whether an address names this machine: what is sent there crosses no network."""
    name = urlsplit(url).hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _check_base_url(url: str, problems: dict[str, str]) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
        problems["BASE_URL"] = f"{url!r} is no address of a service. Give one like https://calls.example.com."
    elif parts.scheme == "http" and not is_loopback(url):
        problems["BASE_URL"] = (
            f"{url} is reached over a network without TLS: passwords and calls would travel readable. Put a proxy "
            'that speaks TLS in front (docs/operate.md, "TLS"), then set BASE_URL=https://... and TRUSTED_PROXY.'
        )


def _database_url(name: str, text: str, problems: dict[str, str]) -> str:
    try:
        url = make_url(text)
    except ArgumentError:
        problems[name] = (
            "is no database address. Give sqlite:////path/file.sqlite or postgresql://user:password@host/name."
        )
        return text
    if url.get_backend_name() == "postgresql":
        # psycopg 3, whatever spelling of the driver was given.
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    if url.get_backend_name() != "sqlite":
        problems[name] = f"{url.get_backend_name()} is not supported. Use sqlite or postgresql."
    elif not url.database or url.database == ":memory:":
        problems[name] = "names no file. Give sqlite:////path/file.sqlite."
    return text


def _other_url(name: str, text: str | None, problems: dict[str, str]) -> str | None:
    if text is None:
        return None
    if not text.startswith("postgresql"):
        problems[name] = "is for PostgreSQL only. Unset it, or give postgresql://user:password@host/name."
        return None
    return _database_url(name, text, problems)


def _number_key(text: str | None, problems: dict[str, str]) -> bytes | None:
    if text is None:
        return None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < 32:
        problems["NUMBER_KEY"] = f"must be at least 32 bytes in hex. Make one with: {MAKE_A_KEY}"
    return key


def _secret_key(text: str, problems: dict[str, str]) -> str:
    if len(text.encode()) < 32 or len(set(text)) < 8:
        problems["SECRET_KEY"] = (
            f"is {'missing' if not text else 'too short or too simple'}: at least 32 characters that nobody can guess. "
            f"Make one, keep it beside NUMBER_KEY, and give the same one at every start: {MAKE_A_KEY}"
        )
    return text


def _fallbacks(text: str | None, problems: dict[str, str]) -> tuple[str, ...]:
    keys = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    if any(len(key.encode()) < 32 for key in keys):
        sentence = "holds a key of fewer than 32 characters. Give earlier values of SECRET_KEY, with commas between."
        problems["SECRET_KEY_FALLBACKS"] = sentence
    return keys


def _trusted_proxy(text: str | None, problems: dict[str, str]) -> str | None:
    if text is None:
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        problems["TRUSTED_PROXY"] = f"{text!r} is no IP address. Give the one from which your proxy connects."
        return None


def _staff_networks(text: str | None, problems: dict[str, str]) -> tuple[Network, ...]:
    networks = []
    for part in (text or "").split(","):
        try:
            networks += [ipaddress.ip_network(part.strip())] if part.strip() else []
        except ValueError:
            problems["STAFF_NETWORKS"] = (
                f"{part.strip()!r} is no network. Give networks with commas between them, such as 192.0.2.0/24 or "
                "2001:db8:1::/48."
            )
    return tuple(networks)


def _smtp_url(text: str | None, problems: dict[str, str]) -> str | None:
    if text is None:
        return None
    try:
        parts, port_is_right = urlsplit(text), urlsplit(text).port != 0
    except ValueError:
        parts, port_is_right = urlsplit(""), False
    if parts.scheme not in ("smtp", "smtps", "smtp+starttls") or not parts.hostname or not port_is_right:
        problems["SMTP_URL"] = (
            "is no mail relay. Give smtp+starttls://user:password@mail.example.com:587 or smtps://..."
        )
    elif parts.scheme == "smtp" and parts.username and not is_loopback(text):
        problems["SMTP_URL"] = (
            "would send the relay's password readable. Give smtp+starttls:// or smtps:// in place of smtp://."
        )
    return text


def _mail_from(text: str | None, problems: dict[str, str]) -> str | None:
    if text is not None and ("@" not in text or "\n" in text or "\r" in text):
        problems["MAIL_FROM"] = f"{text!r} is no e-mail address."
    return text


# ---------------------------------------------------------------------------------------------------------- backups


def _backup_settings(value: Callable[[str], str | None], problems: dict[str, str]) -> dict[str, Any]:
    folder, passphrase = value("BACKUP_FOLDER"), value("BACKUP_PASSPHRASE")
    return {
        "backup_folder": Path(folder).resolve() if folder else None,
        "backup_passphrase": _backup_passphrase(passphrase, problems),
        "backup_key": _backup_key(value("BACKUP_KEY"), passphrase, problems),
        "backup_keep_days": _count("BACKUP_KEEP_DAYS", value("BACKUP_KEEP_DAYS"), 7, problems),
        "backup_keep_weeks": _count("BACKUP_KEEP_WEEKS", value("BACKUP_KEEP_WEEKS"), 4, problems),
        "backup_keep_months": _count("BACKUP_KEEP_MONTHS", value("BACKUP_KEEP_MONTHS"), 3, problems),
    }


def _backup_passphrase(given: str | None, problems: dict[str, str]) -> str | None:
    """The same from a file and from the environment, typed on whichever machine."""
    text = None if given is None else unicodedata.normalize("NFC", given.strip())
    if text is not None and (len(text) < 16 or len(set(text)) < 8):
        sentence = (
            "is too short or too simple: at least 16 characters that nobody can guess, such as six words by dice."
        )
        problems["BACKUP_PASSPHRASE"] = sentence
    return text


def _backup_key(text: str | None, passphrase: str | None, problems: dict[str, str]) -> bytes | None:
    if text is None:
        return None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < 32:
        problems["BACKUP_KEY"] = f"must be at least 32 bytes in hex. Make one with: {MAKE_A_KEY}"
    elif passphrase is not None:
        problems["BACKUP_KEY"] = (
            "stands beside BACKUP_PASSPHRASE: backups are sealed with one of them. Unset the other."
        )
    return key


def _count(name: str, text: str | None, usual: int, problems: dict[str, str]) -> int:
    if text is None:
        return usual
    if not text.isdecimal() or int(text) > 1000:
        problems[name] = f"{text!r} is no such number. Give one from 0 to 1000."
        return usual
    return int(text)
