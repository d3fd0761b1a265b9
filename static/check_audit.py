"""Checks an audit file of Callbook: python3 check_audit.py FILE [POSITION:HASH], the head that was mailed to you."""

import hashlib
import json
import sys

HASHED = ("organization_id", "position", "kind", "at_ms", "actor_id", "object_id", "words_digest", "previous_hash")


def check(lines, kept=None):
    position, before, found = 0, "00" * 32, kept is None
    for position, line in enumerate(lines, 1):
        row, digest = json.loads(line), hashlib.sha256()
        for text in (b"" if row[name] is None else str(row[name]).encode() for name in HASHED):
            digest.update(len(text).to_bytes(4, "big") + text)
        if row["position"] != position or row["previous_hash"] != before:
            sys.exit(f"WRONG at event {position}: one is missing, was put in, or stands in another's place")
        if digest.hexdigest() != row["row_hash"]:
            sys.exit(f"WRONG at event {position}: it was changed")
        words = row["words"] is not None and bytes.fromhex(row["salt"]) + row["words"].encode()
        if words and hashlib.sha256(words).hexdigest() != row["words_digest"]:
            sys.exit(f"WRONG at event {position}: its words were changed")
        before, found = row["row_hash"], found or kept == f"{position}:{row['row_hash']}"
    whole = f"WHOLE: {position} events, and the head is {position}:{before}\n"
    return whole if found else sys.exit(f"WRONG: the head {kept} is not in it: cut off, or all of it written anew")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        sys.stdout.write(check(file, *sys.argv[2:3]))
