"""The published versions of the policies, and how far the text at hand is from the newest. By pages and commands."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from config import Settings
from webapp.clock import now
from webapp.errors import NotFound
from webapp.formatting import format_date
from webapp.policies.facts import fill
from webapp.policies.models import Policy, PolicyVersion
from webapp.policies.text import Filling, PolicyText, load_body, placeholders, read_body
from webapp.policies.values import Values
from webapp.tenancy.lock import LockedSession


@dataclass(frozen=True)
class Draft:
    """The text that came with the code, with the values of now, beside the newest version."""

    policy: Policy
    body: str
    frozen_values: str
    missing: tuple[str, ...]
    newest: PolicyVersion | None

    @property
    def digest(self) -> bytes:
        return digest_of(self.body, self.frozen_values)

    @property
    def is_new(self) -> bool:
        """Whether anything of it is other than in the newest version."""
        return self.newest is None or bytes(self.newest.digest) != self.digest

    @property
    def what_is_new(self) -> str:
        """In words, "" where nothing is."""
        if self.newest is None:
            return "nothing is published yet"
        text, values = self.body != self.newest.body, self.frozen_values != self.newest.frozen_values
        names = ", ".join(self._changed_values())
        return {
            (True, True): f"the text and the values are newer than version {self.newest.version} ({names})",
            (True, False): f"the text is newer than version {self.newest.version}",
            (False, True): f"values have changed since version {self.newest.version}: {names}",
        }.get((text, values), "")

    @property
    def text(self) -> PolicyText:
        return read_body(self.body, json.loads(self.frozen_values))

    def _changed_values(self) -> list[str]:
        assert self.newest is not None
        before, after = json.loads(self.newest.frozen_values), json.loads(self.frozen_values)
        return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def draft_of(session: LockedSession, settings: Settings, values: Values, policy: Policy) -> Draft:
    """Of the text and values at hand."""
    body = load_body(policy)
    frozen, missing = freeze(body, fill(settings, values))
    return Draft(policy, body, frozen, missing, find_newest(session, policy))


def freeze(body: str, filling: Filling) -> tuple[str, tuple[str, ...]]:
    """The values that this text names, and who promises it, as they are stored; and the names of those missing."""
    wanted = placeholders(body) | {"operator"}
    there = {name: filling[name] for name in wanted if filling.get(name)}
    return json.dumps(there, ensure_ascii=False, sort_keys=True, separators=(",", ":")), tuple(
        sorted(wanted - there.keys())
    )


def digest_of(body: str, frozen_values: str) -> bytes:
    """SHA-256 of text and values; a NUL byte, which neither can hold, stands between them."""
    return hashlib.sha256(body.encode() + b"\0" + frozen_values.encode()).digest()


def tell_effect(effective_at: datetime, *, significant: bool) -> str:
    """As the service's chain holds it beside the digest."""
    return f"{effective_at:%Y-%m-%d %H:%M:%S} UTC, {'significant' if significant else 'not significant'}"


def is_as_told(version: PolicyVersion, words: Mapping[str, str]) -> bool:
    """Whether it is what the chain's words say. Before 0.5.1 they named the day of its effect alone."""
    digest = digest_of(version.body, version.frozen_values)
    effect = tell_effect(version.effective_at, significant=version.significant)
    known = words["effective"] in (effect, format_date(version.effective_at.date()))
    return bytes(version.digest) == digest and words["digest"] == digest.hex() and known


def text_of(version: PolicyVersion) -> PolicyText:
    """As it was frozen."""
    return read_body(version.body, json.loads(version.frozen_values))


def list_versions(session: LockedSession, policy: Policy) -> Sequence[PolicyVersion]:
    """All of them, the newest first."""
    newest_first = PolicyVersion.version.desc()
    return session.scalars(select(PolicyVersion).where(PolicyVersion.policy == policy).order_by(newest_first)).all()


def get_version(session: LockedSession, policy: Policy, version: int) -> PolicyVersion:
    """Raises NotFound."""
    found = session.get(PolicyVersion, (policy, version)) if version < 2**31 else None
    if found is None:
        raise NotFound
    return found


def find_newest(session: LockedSession, policy: Policy) -> PolicyVersion | None:
    """In force or still to come."""
    return next(iter(list_versions(session, policy)), None)


def find_in_force(session: LockedSession, policy: Policy) -> PolicyVersion | None:
    """The one that counts at this moment."""
    return in_force(list_versions(session, policy))


def standing(newest_first: Sequence[PolicyVersion]) -> list[PolicyVersion]:
    """The one in force and those that are to come, the newest first: people are bound by each of them, or will be."""
    present = in_force(newest_first)
    return [version for version in newest_first if present is None or version.version >= present.version]


def in_force(newest_first: Sequence[PolicyVersion]) -> PolicyVersion | None:
    return next((version for version in newest_first if version.effective_at <= now()), None)
