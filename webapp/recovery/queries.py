"""What backups and drills came to. Read by the checks of the policies, the console's page of the service, commands."""

from collections.abc import Sequence

from sqlalchemy import select

from webapp.recovery.models import RecoveryRun, RunKind
from webapp.tenancy.lock import LockedSession


def latest_backup(session: LockedSession) -> RecoveryRun | None:
    """The newest backup that was made to its end. How young it is tells `backup_at`, the moment whose data it holds."""
    newest = (
        select(RecoveryRun)
        .where(RecoveryRun.kind == RunKind.BACKUP, RecoveryRun.succeeded)
        .order_by(RecoveryRun.id.desc())
        .limit(1)
    )
    return session.scalars(newest).first()


def latest_drill(session: LockedSession) -> RecoveryRun | None:
    """The newest drill that ended, whatever came of it: ask `succeeded`; `words` say what it found different."""
    newest = (
        select(RecoveryRun)
        .where(RecoveryRun.kind == RunKind.DRILL, RecoveryRun.ended_at.is_not(None))
        .order_by(RecoveryRun.id.desc())
        .limit(1)
    )
    return session.scalars(newest).first()


def list_runs(session: LockedSession, kind: RunKind, limit: int) -> Sequence[RecoveryRun]:
    """The newest runs of a kind, those that failed or were killed too."""
    newest = select(RecoveryRun).where(RecoveryRun.kind == kind).order_by(RecoveryRun.id.desc()).limit(limit)
    return session.scalars(newest).all()
