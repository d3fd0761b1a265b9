"""What was erased for good, and its log: DATA_DIR/erasures.log, by which a restored backup erases it again.

A line of JSON an erasure, with ids and no name; written and synced before the first row goes, so that nothing that was
erased can come back with a backup. One whose transaction failed is taken back by another line. Keep the file where
backups of the database do not overwrite it.
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from weakref import WeakKeyDictionary

from sqlalchemy import delete, event, select
from sqlalchemy.orm import Session, SessionTransaction

from config import Settings
from webapp.accounts import leaving
from webapp.accounts.models import UserAccount
from webapp.audit.service_chain import note_for_service
from webapp.clock import from_ms, now, now_ms, to_ms
from webapp.database.engine import Database
from webapp.privacy.closing import begin_grace_anew
from webapp.privacy.erasing import begin_erasure, erase_rows, note_erasure
from webapp.privacy.erasing_end import end_erasure
from webapp.privacy.forgetting import forget_person
from webapp.privacy.models import Erasure, ErasureKind
from webapp.recovery import backing_up, restoring
from webapp.recovery.problem import RecoveryProblem
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization, let_go
from webapp.tenancy.models import Membership, Organization, OrganizationState
from webapp.tenancy.sessions import reading_session, writing_session

LOG_NAME = "erasures.log"
_logs: WeakKeyDictionary[Database, Path] = WeakKeyDictionary()


@dataclass(frozen=True)
class LoggedErasure:
    kind: ErasureKind
    subject_id: int
    erased_at_ms: int


def register(database: Database, settings: Settings) -> None:
    """Called by create_app(): people who are erased are logged beside the database, a restored one is erased again."""
    _logs[database] = settings.data_dir / LOG_NAME
    leaving.when_deleted("privacy", note_person)
    if see_to_restored not in restoring.after_restore:
        restoring.after_restore.append(see_to_restored)
        restoring.log_checks.append(read_log)
    if complete_log not in backing_up.after_backup:
        backing_up.after_backup.append(complete_log)


def log_erasure(data_dir: Path, kind: ErasureKind, subject_id: int, at_ms: int | None = None) -> None:
    """Append a line, once for each who is erased, and have it on the disk before this returns."""
    _append(data_dir / LOG_NAME, LoggedErasure(kind, subject_id, now_ms() if at_ms is None else at_ms))


def _append(path: Path, erased: LoggedErasure) -> None:
    if not _list_logged(path, erased):
        _write(path, erased)


def _list_logged(path: Path, erased: LoggedErasure) -> list[LoggedErasure]:
    """What the log has of the same."""
    whose = (erased.kind, erased.subject_id)
    return [each for each in read_log(path.parent) if (each.kind, each.subject_id) == whose]


def _write(path: Path, erased: LoggedErasure, **also: bool) -> None:
    words = {"kind": erased.kind.name.lower(), "id": erased.subject_id, "erased_at_ms": erased.erased_at_ms, **also}
    is_new = not path.exists()
    after_a_crash = not is_new and not path.read_bytes().endswith(b"\n")
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        if is_new and os.geteuid() == 0:  # a worker that root ran once: the service goes on with the file
            owner = path.parent.stat()
            with suppress(PermissionError):  # of a share that squashes root
                os.fchown(file, owner.st_uid, owner.st_gid)
        os.write(file, b"\n" * after_a_crash + json.dumps(words).encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)
    if is_new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_log(data_dir: Path) -> list[LoggedErasure]:
    """All that was erased, the oldest first; what was taken back was not. A line that was cut off by a crash is of an
    erasure that did not begin.
    """
    path = data_dir / LOG_NAME
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    found, taken_back = [], set()
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"}"):
            continue
        try:
            words = json.loads(line)
            erased = LoggedErasure(ErasureKind[words["kind"].upper()], int(words["id"]), int(words["erased_at_ms"]))
            if words.get("taken_back"):
                taken_back.add(erased)
            else:
                found.append(erased)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RecoveryProblem(
                f"{path}, line {number}, is of no erasure. Put it right by another copy of the file, there and beside "
                "the backups: their lines go together."
            ) from None
    return [erased for erased in found if erased not in taken_back]


def complete_log(database: Database, folder: Path) -> None:
    """Add to the log in a folder of backups the erasures that it lacks: of another machine over the same PostgreSQL."""
    known = {(each.kind, each.subject_id) for each in read_log(folder)}
    with reading_session(database) as session:
        erased = session.scalars(select(Erasure).order_by(Erasure.id)).all()
    for each in erased:
        if (each.kind, each.subject_id) not in known:
            log_erasure(folder, each.kind, each.subject_id, to_ms(each.erased_at))


def see_to_restored(database: Database, settings: Settings) -> int:
    """Before a restored backup serves: what was erased goes again, what is closed has its days of grace anew.

    Returns how many were ever erased, by the log.
    """
    apply_erasures(database, settings)
    _begin_grace_anew(database)
    return len({(each.kind, each.subject_id) for each in read_log(settings.data_dir)})


def apply_erasures(database: Database, settings: Settings) -> None:
    """Erase again, in the database at hand, everything that the log says."""
    for erased in read_log(settings.data_dir):
        if erased.kind is ErasureKind.ORGANIZATION:
            _erase_organization_again(database, erased.subject_id)
        else:
            _erase_person_again(database, erased)


def _begin_grace_anew(database: Database) -> None:
    """Who is closed may have been brought back since, and is not erased for that. Where that had begun it goes on."""
    erased = select(Erasure.subject_id).where(Erasure.kind == ErasureKind.ORGANIZATION)
    closed = select(Organization.id).where(Organization.state == OrganizationState.CLOSED)
    with reading_session(database) as session:
        organization_ids = session.scalars(closed.where(Organization.id.not_in(erased))).all()
    for organization_id in organization_ids:
        with writing_session(database, organization_id) as session:
            begin_grace_anew(session)
            session.commit()


def _erase_organization_again(database: Database, organization_id: int) -> None:
    with reading_session(database) as session:
        if session.get(Organization, organization_id) is None:
            return
    with writing_session(database, organization_id) as session:
        begin_erasure(session, organization_id)
        session.commit()
    erase_rows(database, organization_id)
    end_erasure(database, organization_id, tell=False)


def _erase_person_again(database: Database, erased: LoggedErasure) -> None:
    """Whoever is the only owner somewhere in the backup goes too: they had left before they were erased."""
    with reading_session(database) as session:
        if session.get(UserAccount, erased.subject_id) is None:
            return
        session.bind_person(erased.subject_id)
        mine = select(Membership.organization_id).where(Membership.user_account_id == erased.subject_id)
        organization_ids = list(session.scalars(mine))
    for organization_id in organization_ids:
        with writing_session(database, organization_id) as session:
            hold_organization(session)
            let_go(session, erased.subject_id)
            session.execute(
                delete(Membership)
                .where(Membership.user_account_id == erased.subject_id, Membership.organization_id == organization_id)
                .execution_options(synchronize_session=False)
            )
            session.commit()
    with writing_session(database) as session:
        _note(session, erased)
        session.execute(delete(UserAccount).where(UserAccount.id == erased.subject_id))
        session.commit()


def note_person(database: Database, session: LockedSession, user_account_id: int) -> None:
    """A person's account is being deleted, in this transaction. Called by accounts/leaving.py."""
    erased = LoggedErasure(ErasureKind.PERSON, user_account_id, to_ms(now()))
    _note(session, erased)
    path = _logs.get(database)
    if path is not None:
        session.flush()
        _append(path, erased)
        event.listen(session, "after_transaction_end", partial(_take_back_if_there, database, path, erased))


def _take_back_if_there(
    database: Database, path: Path, erased: LoggedErasure, _session: Session, transaction: SessionTransaction
) -> None:
    """The transaction is over: whoever is there still would go with the next restore. Asks the database, since a commit
    that failed may have come about.
    """
    if transaction.parent is not None:
        return
    with reading_session(database) as session:
        if session.get(UserAccount, erased.subject_id) is not None:
            for each in _list_logged(path, erased):
                _write(path, each, taken_back=True)


def _note(session: LockedSession, erased: LoggedErasure) -> None:
    forget_person(session, erased.subject_id)
    note_erasure(session, erased.kind, erased.subject_id, from_ms(erased.erased_at_ms), row_count=1)
    note_for_service(session, "service.person_erased", None, erased.subject_id)
