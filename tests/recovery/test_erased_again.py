"""SECURITY 50: a restored backup does not bring back what was erased since: it is erased again before it may serve."""

import shutil
from collections.abc import Callable

from sqlalchemy import func, select

from config import Settings
from tests.cast import Cast
from tests.make import Make
from tests.privacy.canary import plant
from tests.recovery.conftest import run_at
from webapp.accounts.models import UserAccount
from webapp.audit.verify import verify_chain
from webapp.calls.models import CallRecord
from webapp.database.engine import Database
from webapp.database.installation import list_problems
from webapp.privacy.erasures import LOG_NAME, log_erasure
from webapp.privacy.models import Erasure, ErasureKind
from webapp.recovery.folder import Kept
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session


def test_a_restore_erases_again_what_the_log_says(
    make: Make, cast: Cast, backed_up: Callable[[], Kept], settings: Settings, empty: Settings
) -> None:
    plant(make, "goldfinch")
    plant(make.at(cast.quayside), "wagtail")
    kept = backed_up()
    log_erasure(settings.data_dir, ErasureKind.ORGANIZATION, cast.harbour.id)
    log_erasure(settings.data_dir, ErasureKind.PERSON, cast.nora.id)
    empty.data_dir.mkdir(exist_ok=True)
    shutil.copyfile(settings.data_dir / LOG_NAME, empty.data_dir / LOG_NAME)
    result = run_at(empty, "restore", kept.path)

    assert result.exit_code == 0, result.output
    restored = Database(empty.database_url)
    assert list_problems(restored, empty) == []
    with reading_session(restored) as session:
        assert session.get(Organization, cast.harbour.id) is None
        assert session.get(Organization, cast.quayside.id) is not None
        assert session.get(UserAccount, cast.nora.id) is None
        assert set(session.scalars(select(Erasure.subject_id))) == {cast.harbour.id, cast.nora.id}
    for organization_id, records in ((cast.harbour.id, 0), (cast.quayside.id, 1)):
        with reading_session(restored, organization_id) as session:
            assert session.scalar(select(func.count(CallRecord.record_key))) == records
    assert verify_chain(restored, 0).wrong is None
    restored.dispose()
