"""A service whose policies are filled in, and a hand that publishes them."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from config import Settings
from tests.cast import Cast
from tests.policies.sound_service import BY_COMMAND, past_locks, sound  # noqa: F401 - fixtures of the tests of promises
from webapp.database.engine import Database
from webapp.policies import notices
from webapp.policies.models import Policy, PolicyVersion
from webapp.policies.publishing import Change, publish
from webapp.policies.values import load_values
from webapp.policies.versions import draft_of
from webapp.tenancy.sessions import writing_session

FILLED_IN = Path(__file__).resolve().parents[1] / "data" / "policies" / "policy.toml"

Publish = Callable[..., PolicyVersion]
Fill = Callable[..., None]


@pytest.fixture
def fill(settings: Settings) -> Fill:
    """`fill(operator="Acme")`: a service's values, some of them others; None leaves one out."""

    def write(**changed: str | None) -> None:
        lines = FILLED_IN.read_text("utf-8").splitlines()
        for name, value in changed.items():
            [place] = [number for number, line in enumerate(lines) if line.startswith(f"{name} =")]
            lines[place] = "" if value is None else f"{name} = {value}"
        (settings.data_dir / "policy.toml").write_text("\n".join(lines), "utf-8")

    return write


@pytest.fixture
def publish_now(settings: Settings, database: Database, fill: Fill, cast: Cast) -> Publish:
    """`publish_now(Policy.SECURITY, law='"France"', significant=True, effective_at=...)`: the values, and a change."""

    def do(
        policy: Policy = Policy.PRIVACY,
        *,
        summary: str = "A summary of what changes.",
        significant: bool = False,
        effective_at: datetime | None = None,
        **changed: str | None,
    ) -> PolicyVersion:
        fill(**changed)
        values = load_values(settings)
        with writing_session(database) as session:
            draft = draft_of(session, settings, values, policy)
            version = publish(
                session, draft, Change(summary, significant, effective_at), BY_COMMAND, values.notice_days
            )
            session.commit()
        notices.forget(database)
        return version

    return do
