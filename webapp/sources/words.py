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
