"""Checks an audit file of Callbook: python3 check_audit.py FILE [POSITION:HASH], the head that was mailed to you."""

import hashlib
import json
import sys

HASHED = ("organization_id", "position", "kind", "at_ms", "actor_id", "object_id", "words_digest", "previous_hash")


def check(lines, kept=None):
    position, before, found, begins, untold = 0, "00" * 32, kept is None, 0, ""
    for row in map(json.loads, lines):
        wrong, digest = "", hashlib.sha256()
        for text in (b"" if row.get(name) is None else str(row[name]).encode() for name in HASHED):
            digest.update(len(text).to_bytes(4, "big") + text)
        if "purged_to" in row and not position:  # what stood before was removed; its last hash is kept
            position = begins = row["purged_to"]
            untold = json.dumps({"hash": row["row_hash"], "position": begins}, separators=(",", ":"))
        elif row["position"] != (position := position + 1) or row["previous_hash"] != before:
            wrong = "one is missing, was put in, or stands in another's place"
        elif digest.hexdigest() != row["row_hash"]:
            wrong = "it was changed"
        words = row.get("words") is not None and bytes.fromhex(row["salt"]) + row["words"].encode()
        if wrong or (words and hashlib.sha256(words).hexdigest() != row["words_digest"]):
            sys.exit(f"WRONG at event {position}: {wrong or 'its words were changed'}")
        if row.get("kind") == "retention.audit_removed" and (row["words"] or row["object_id"]) in (untold, begins):
            untold = ""
        before, found = row["row_hash"], found or kept == f"{position}:{row['row_hash']}"
    if untold:
        sys.exit(f"WRONG: the events up to {begins} are missing, and no later one says that they were removed")
    if not found and int(kept.split(":")[0]) >= begins:
        sys.exit(f"WRONG: the head {kept} is not in it: cut off, or all of it written anew")
    old = "" if found else f" (the head {kept} is of events that were removed: it was not compared)"
    return f"WHOLE: {position - begins} events, and the head is {position}:{before}{old}\n"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        sys.stdout.write(check(file, *sys.argv[2:3]))
