"""The formats of call records that can be read, in the order in which pages offer them."""

from webapp.ingest.readers import (
    asterisk_cdr_csv,
    callbook_json,
    freepbx_report_csv,
    freeswitch_cdr_csv,
    freeswitch_json,
    generic_csv,
)
from webapp.ingest.records import Reader

READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        asterisk_cdr_csv.READER,
        freepbx_report_csv.READER,
        freeswitch_cdr_csv.READER,
        freeswitch_json.READER,
        callbook_json.READER,
        generic_csv.READER,
    )
}
