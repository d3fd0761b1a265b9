"""What the pages of the policies show. Called by views.py; knows no Flask."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from config import Settings
from webapp.clock import now
from webapp.policies.models import Policy, PolicyVersion
from webapp.policies.text import PolicyText
from webapp.policies.values import Values, ValuesError, load_values
from webapp.policies.versions import digest_of, draft_of, get_version, in_force, list_versions, text_of
from webapp.tenancy.lock import LockedSession

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shown:
    """A policy on its page. `version` None: a draft. `until`: of an older one, that which took its place.

    `coming`: those that are published and not in force yet, the next one first. `present`: that in force, where this
    one is not.
    """

    policy: Policy
    text: PolicyText
    version: PolicyVersion | None
    until: PolicyVersion | None = None
    coming: Sequence[PolicyVersion] = ()
    present: PolicyVersion | None = None

    @property
    def digest(self) -> str:
        """Of the text and the values that are shown: computed anew, not read."""
        return digest_of(self.version.body, self.version.frozen_values).hex() if self.version else ""

    @property
    def is_to_come(self) -> bool:
        return self.version is not None and self.version.effective_at > now()


def known_values(settings: Settings) -> Values:
    """For a page: a file that cannot be read shows as gaps. Whoever runs the service is told by `check-policies`."""
    try:
        return load_values(settings)
    except ValuesError as error:
        log.error("%s", error.sentence)
        return Values()


def show_now(session: LockedSession, settings: Settings, policy: Policy) -> Shown:
    """The version in force; before one is, the draft."""
    versions = list_versions(session, policy)
    version = in_force(versions)
    coming = [each for each in reversed(versions) if each.effective_at > now()]
    if version is None:
        draft = draft_of(session, settings, known_values(settings), policy)
        return Shown(policy, draft.text, None, coming=coming)
    return Shown(policy, text_of(version), version, coming=coming)


def show_version(session: LockedSession, policy: Policy, number: int) -> Shown:
    """Raises NotFound."""
    version = get_version(session, policy, number)
    versions = list_versions(session, policy)
    later = next((each for each in reversed(versions) if each.version > number), None)
    present = in_force(versions)
    return Shown(policy, text_of(version), version, until=later, present=present if present is not version else None)


def list_everything(session: LockedSession) -> list[PolicyVersion]:
    """Of both policies, what was published last first."""
    order = (PolicyVersion.published_at.desc(), PolicyVersion.policy, PolicyVersion.version.desc())
    return list(session.scalars(select(PolicyVersion).order_by(*order)))
