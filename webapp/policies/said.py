"""What the service says at this moment: the frozen values of the policies in force, and the promises that they name.

Checks measure against these, and pages show them: what an operator or a release has changed since is a draft until it
is published. Where nothing is in force, a draft is all there is. Called by checking.py and the views.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import select

from config import Settings
from webapp.policies.facts import fill
from webapp.policies.models import Policy, PolicyVersion
from webapp.policies.pages import known_values
from webapp.policies.text import Filling, list_promise_keys
from webapp.policies.values import Values
from webapp.tenancy.lock import LockedSession


@dataclass(frozen=True)
class Said:
    """`in_force`: without a policy of which nothing is. `filling`: every value by its name, of both policies."""

    in_force: Mapping[Policy, PolicyVersion]
    filling: Filling

    @cached_property
    def values(self) -> Values:
        return Values.of(self.filling)

    @property
    def promise_keys(self) -> list[str]:
        """Each once, in the order of the texts."""
        return list(dict.fromkeys(key for each in self.in_force.values() for key in list_promise_keys(each.body)))

    def number(self, name: str) -> int:
        return int(str(self.filling[name]))


def find_said(session: LockedSession, settings: Settings, moment: datetime) -> Said:
    filling = fill(settings, known_values(settings))
    in_force = {}
    for policy in Policy:
        of_policy = select(PolicyVersion).where(PolicyVersion.policy == policy, PolicyVersion.effective_at <= moment)
        version = session.scalars(of_policy.order_by(PolicyVersion.version.desc()).limit(1)).first()
        if version is not None:
            in_force[policy] = version
            filling.update(json.loads(version.frozen_values))
    return Said(in_force, filling)
