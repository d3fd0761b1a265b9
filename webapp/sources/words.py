"""The words in which pages name the state of an import: the filter `import_state`."""

from webapp.calls.models import ImportState
from webapp.sources.blueprint import bp

STATE_LABELS = {
    ImportState.UPLOADED: "Not imported yet",
    ImportState.QUEUED: "Waiting its turn",
    ImportState.RUNNING: "Being imported",
    ImportState.DONE: "Imported",
    ImportState.CANCELLED: "Cancelled",
    ImportState.FAILED: "Stopped half-way",
    ImportState.UNDOING: "Being undone",
    ImportState.UNDONE: "Undone",
}


@bp.app_template_filter("import_state")
def label_state(state: ImportState) -> str:
    return STATE_LABELS[state]


@bp.app_template_filter("file_size")
def format_size(count: int) -> str:
    """Bytes as people say them: "812 bytes", "48 kB", "2.3 MB", "1.9 GB"."""
    if count < 1000:
        return "1 byte" if count == 1 else f"{count} bytes"
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            amount = count / size
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:,.0f} {unit}"
    raise AssertionError
