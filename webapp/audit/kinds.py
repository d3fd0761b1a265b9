"""The closed list of what is recorded, with the words each kind needs. `sentence` is how "Who looked" tells it.

Read by actions.py, which refuses anything else, and by organizations/who_looked.py. What stands before the dot of a
kind decides in which group the page shows it (groups.py).
"""

import json
from dataclasses import dataclass

from webapp.audit.groups import Group, group_of

ERASED = "(erased)"  #: in the place of words that are no longer kept
NOT_SHOWN = "(not shown to you)"  #: in the place of words that may hold a number, to a masked reader


@dataclass(frozen=True)
class Kind:
    """`words` are the names of its words in audit_detail; `sentence` is filled in with them.

    `about`: what its object_id is, where a page may lead there (objects.py). `each`: views of two objects are two.
    """

    sentence: str
    words: tuple[str, ...] = ()
    about: str = ""
    each: bool = False


KINDS: dict[str, Kind] = {
    # ---- organizations and their people
    "organization.made": Kind("The organization was made", ("name",)),
    "member.left": Kind("{email} left", ("email",)),
    # ---- numbers
    "number.shown": Kind("The number {number} was shown in full", ("number",)),  # the number as masked
    # ----
    "member.joined": Kind("{email} joined as {role}", ("email", "role")),
    # ---- signing in
    "sign_in.done": Kind("Signed in"),
    "sign_in.refused": Kind("A sign-in with this person's address was refused"),
    "sign_out.done": Kind("Signed out"),
    "prove.refused": Kind("Asked again who it is, gave a wrong password, code or passkey"),
    # ---- staff accounts; in the chain of the service itself
    "staff_account.made": Kind("{name} ({email}) was made a member of staff", ("name", "email")),
    "staff_account.disabled": Kind("{name} ({email}) is no member of staff any more", ("name", "email")),
    # ---- looking at calls
    "overview.viewed": Kind("Looked at the overview"),
    "call_log.viewed": Kind("Looked at the call log"),
    "call.viewed": Kind("Looked at the call of {started}", ("started",), about="call", each=True),
    # ---- searches and files taken away
    "search.made": Kind("Searched the calls for {words}", ("words",)),
    "export.made": Kind("Exported calls: {selection}", ("selection",)),
    "refused_lines.viewed": Kind(
        "Looked at the lines of {file} that could not be read", ("file",), about="import", each=True
    ),
    "refused_lines.downloaded": Kind(
        "Downloaded the lines of {file} that could not be read", ("file",), about="import"
    ),
    "refused_lines.thrown_away": Kind(
        "Threw away the {count} lines of {file} that could not be read", ("count", "file"), about="import"
    ),
    # ---- "Who looked"
    "who_looked.viewed": Kind("Looked at this page"),
    "who_looked.exported": Kind("Exported this list: {selection}", ("selection",)),
    "who_looked.chain_exported": Kind("Downloaded the whole chain of this list"),
    # ---- destinations
    "destination.added": Kind("Added {name} to the destinations", ("name",)),
    "destination.changed": Kind("Changed the destination {before}, now {name}", ("before", "name")),
    "destination.archived": Kind("Archived the destination {name}", ("name",)),
    "destination.brought_back": Kind("Brought the destination {name} back", ("name",)),
    "destination.merged": Kind("Merged the destination {name} into {into}", ("name", "into")),
    "destination.imported": Kind(
        "Stored {file}, a file of contacts: {added} added, {changed} changed, {refused} refused",
        ("file", "added", "changed", "refused"),
    ),
    "destination.passed_over": Kind("Passed over a number that has no name"),
    "destination.taken_back": Kind("Took it back that a number without a name was passed over"),
    "destination.exported": Kind("Exported the destinations: {count}", ("count",)),
    "destination.handed_over": Kind(
        "{what} went from {before} to {after}, from {day} on", ("what", "before", "after", "day")
    ),
    # ---- phone systems
    "pbx.added": Kind("Added the phone system {name}", ("name",)),
    "pbx.renamed": Kind("Renamed the phone system {before} to {name}", ("before", "name")),
    "pbx.set_up": Kind("Answered the questions about {name}", ("name",)),
    "pbx.read_again": Kind("Had {records} records of {name} read again", ("name", "records")),
    "pbx.closed": Kind("Closed the phone system {name}", ("name",)),
    "pbx.reopened": Kind("Opened the phone system {name} again", ("name",)),
    # ---- tokens of phone systems
    "token.made": Kind("Made a token for {name}", ("name",)),
    "token.rotated": Kind("Replaced the token {prefix}… of {name}", ("name", "prefix")),
    "token.revoked": Kind("Revoked the token {prefix}… of {name}", ("name", "prefix")),
    # ---- imports
    "import.started": Kind("Started the import of {file}", ("file",), about="import"),
    "import.cancelled": Kind("Cancelled the import of {file}", ("file",), about="import"),
    "import.undone": Kind("Undid the import of {file}", ("file",), about="import"),
    "import.thrown_away": Kind("Threw the file {file} away before it was imported", ("file",)),
    # ---- calls to return; numbers as masked
    "return.viewed": Kind("Looked at the calls to return"),
    "return.assigned": Kind("The call to {number} was given to {person}", ("number", "person")),
    "return.noted": Kind("The note on the call to {number} was changed", ("number",)),
    "return.done": Kind("The call to {number} was marked as done", ("number",)),
    "return.opened": Kind("The call to {number} was marked as not done", ("number",)),
    "return.mailed": Kind("One mail a day about calls to return: {wish}", ("wish",)),
    # ---- invitations, people and settings
    "invitation.made": Kind("{email} was invited as {offer}", ("email", "offer")),
    "invitation.filed": Kind("The operator asked for {email} to be let in as {offer}", ("email", "offer")),
    "invitation.confirmed": Kind("The invitation of {email} was confirmed", ("email",)),
    "invitation.resent": Kind("The invitation of {email} was sent again", ("email",)),
    "invitation.changed": Kind(
        "The invitation of {email} was changed: {before} → {after}", ("email", "before", "after")
    ),
    "invitation.revoked": Kind("The invitation of {email} was revoked", ("email",)),
    "member.changed": Kind("The access of {email} was changed: {before} → {after}", ("email", "before", "after")),
    "member.removed": Kind("{email} was removed", ("email",)),
    "member.signed_out": Kind("{email} was signed out everywhere", ("email",)),
    # ---- own numbers, opening hours and routes
    "own_number.listed": Kind("Listed the number {number}", ("number",)),
    "own_number.changed": Kind("Changed the number {number}: {changes}", ("number", "changes")),
    "own_number.given_up": Kind("Noted that the number {number} was given up", ("number",)),
    "own_number.taken_back": Kind("Noted that the number {number} is ours again", ("number",)),
    "own_number.deleted": Kind("Deleted the number {number}, which had no call and no route", ("number",)),
    "schedule.made": Kind("Wrote the {what} {name}", ("what", "name")),
    "schedule.changed": Kind("Changed the {what} {name}: {changes}", ("what", "name", "changes")),
    "schedule.archived": Kind("Put the {what} {name} away", ("what", "name")),
    "routes.stored": Kind("Changed where {number} rings: {changes}", ("number", "changes")),
    "routes.undone": Kind("Made {number} ring again as it did from {since} on", ("number", "since")),
    # ---- what support and the operator did without looking, in the chain of the organization that it concerns
    "support.set_up": Kind(
        "{staff} of support set this organization up and invited {email} to own it: {reason}",
        ("staff", "email", "reason"),
    ),
    "support.suspended": Kind("{staff} of support suspended this organization: {reason}", ("staff", "reason")),
    "support.resumed": Kind("{staff} of support opened this organization again: {reason}", ("staff", "reason")),
    "support.limit_changed": Kind(
        "{staff} of support changed {limit}, {before} → {after}: {reason}",
        ("staff", "limit", "before", "after", "reason"),
    ),
    "support.resent": Kind(
        "{staff} of support sent the invitation of {email} again: {reason}", ("staff", "email", "reason")
    ),
    "support.signed_out": Kind(
        "{staff} of support signed {whom} out everywhere: {reason}", ("staff", "whom", "reason")
    ),
    "support.missed": Kind(
        "{staff} of support asked for {email}, which is nobody’s here: {reason}", ("staff", "email", "reason")
    ),
    "support.shell": Kind("The operator opened this organization’s data in a shell: {reason}", ("reason",)),
    "support.restored": Kind(
        "The operator restored the service from its backup of {moment}: what happened after it is lost, and what "
        "support was allowed has ended",
        ("moment",),
    ),
    "support.user_made": Kind("The operator let {email} in as {role}, by command", ("email", "role")),
    # ---- the same, and what concerns nobody alone, in the chain of the service itself
    "service.set_up": Kind("{staff} set {organization} up: {reason}", ("staff", "organization", "reason")),
    "service.suspended": Kind("{staff} suspended {organization}: {reason}", ("staff", "organization", "reason")),
    "service.resumed": Kind("{staff} opened {organization} again: {reason}", ("staff", "organization", "reason")),
    "service.limit_changed": Kind(
        "{staff} changed {limit} of {organization}, {before} → {after}: {reason}",
        ("staff", "organization", "limit", "before", "after", "reason"),
    ),
    "service.resent": Kind(
        "{staff} sent an invitation of {organization} again: {reason}", ("staff", "organization", "reason")
    ),
    "service.signed_out": Kind(
        "{staff} signed {whom} of {organization} out everywhere: {reason}", ("staff", "organization", "whom", "reason")
    ),
    "service.missed": Kind(
        "{staff} asked {organization} for an address that nobody there has: {reason}",
        ("staff", "organization", "reason"),
    ),
    "service.notice_put_up": Kind("{staff} put a notice up: {words} ({reason})", ("staff", "words", "reason")),
    "service.notice_taken_down": Kind("{staff} took a notice down: {words} ({reason})", ("staff", "words", "reason")),
    "service.shell": Kind("The data of {organization} was opened in a shell: {reason}", ("organization", "reason")),
    "service.imported": Kind("A file was imported into {organization} by command", ("organization",)),
    "service.organization_made": Kind("{organization} was made by command", ("organization",)),
    "service.user_made": Kind("{what} of {organization}, by command", ("organization", "what")),
    # ---- policies, and what everybody is told: in the service's own chain, the last in the organization's
    "service.policy_published": Kind(
        "{staff} published version {version} of the {policy} policy, in force from {effective}: {summary} "
        "({reason}; SHA-256 {digest})",
        ("staff", "policy", "version", "effective", "summary", "digest", "reason"),
    ),
    "service.incident_announced": Kind(
        "{staff} told {whom} of an incident: {subject} ({reason})", ("staff", "whom", "subject", "reason")
    ),
    "service.mail_came_back": Kind(
        "{staff} noted that a mail of “{subject}” came back: {reason}", ("staff", "subject", "reason")
    ),
    "support.incident_told": Kind("{staff} told everybody here of an incident: {subject}", ("staff", "subject")),
    "service.promise_turned": Kind("The promise “{promise}” is {state}", ("promise", "state")),
    # ---- the service itself, by staff: in its own chain
    "service.job_retried": Kind("{staff} let the failed job {what} go again: {reason}", ("staff", "what", "reason")),
    "service.mail_retried": Kind("{staff} let the refused mail {what} go again: {reason}", ("staff", "what", "reason")),
    # ---- backups, by command; in the chain of the service itself
    "service.backed_up": Kind("A backup was made, {backup}: {result}", ("backup", "result")),
    "service.restored": Kind("The service was restored from the backup {backup}: {result}", ("backup", "result")),
    "service.drilled": Kind("Restoring the backup {backup} was tried: {result}", ("backup", "result")),
    "service.mails_let_go": Kind("{count} mails that a restore had held back were let go", ("count",)),
    # ---- support: asking, allowing, opening
    "support.asked": Kind(
        "{staff} of support asked to see {what}, for {hours}: {reason}", ("staff", "what", "hours", "reason")
    ),
    "support.taken_back": Kind("{staff} of support took back the request to see {what}", ("staff", "what")),
    "support.allowed": Kind(
        "Allowed {staff} of support to see {what}, from {starts} to {ends}", ("staff", "what", "starts", "ends")
    ),
    "support.refused": Kind("Refused {staff} of support to see {what}", ("staff", "what")),
    "support.unanswered": Kind("Nobody answered {staff} of support, so it was refused: {what}", ("staff", "what")),
    "support.invited": Kind(
        "Invited support to see {what}, from {starts} to {ends}: {reason}", ("what", "starts", "ends", "reason")
    ),
    "support.ended": Kind("Ended what support could see: {what}", ("what",)),
    "support.opened": Kind(
        "{staff} of support opened what was allowed: {what}, until {until}", ("staff", "what", "until")
    ),
    "support.closed": Kind("{staff} of support closed it again", ("staff",)),
    "support.told": Kind("{organization}: {happened}", ("organization", "happened")),  # in the service's own chain
    # ---- required by law: what the organization may know
    "disclosure.told": Kind(
        "By law, data of this organization is handed out to {authority}: {scope} ({areas}; {period}). Legal basis: "
        "{basis}. Agreed to {how}",
        ("authority", "basis", "scope", "areas", "period", "how"),
    ),
    "disclosure.taken_back": Kind(
        "The disclosure to {authority} was taken back: nothing was handed out", ("authority",)
    ),
    # ---- required by law: the chain of the service
    "legal.asked": Kind(
        "{staff} entered a disclosure of {organization} to {authority}: {scope} ({areas}; {period}). Legal basis: "
        "{basis}. {gag}",
        ("staff", "organization", "authority", "basis", "scope", "areas", "period", "gag"),
    ),
    "legal.agreed": Kind(
        "{staff} agreed to the disclosure of {organization} to {authority}, {how}",
        ("staff", "organization", "authority", "how"),
    ),
    "legal.taken_back": Kind(
        "{staff} took the disclosure of {organization} to {authority} back", ("staff", "organization", "authority")
    ),
    "legal.tried_again": Kind(
        "{staff} had the archive for {authority} of {organization} made again", ("staff", "organization", "authority")
    ),
    "legal.produced": Kind(
        "The archive of {organization} for {authority} was made: {rows} rows, manifest {digest}",
        ("organization", "authority", "rows", "digest"),
    ),
    "legal.failed": Kind(
        "The archive of {organization} for {authority} could not be made", ("organization", "authority")
    ),
    "legal.key_shown": Kind(
        "{staff} was shown the key to the archive of {organization} for {authority}",
        ("staff", "organization", "authority"),
    ),
    "legal.fetched": Kind(
        "{staff} fetched the archive of {organization} for {authority}", ("staff", "organization", "authority")
    ),
    "legal.deleted": Kind("The archive of {organization} for {authority} was deleted", ("organization", "authority")),
    "legal.gag_lengthened": Kind(
        "{staff} lengthened the gag on the disclosure of {organization} to {authority} from {before} to {after} by "
        "{order}: {reason}",
        ("staff", "organization", "authority", "before", "after", "order", "reason"),
    ),
    "legal.gag_ended": Kind(
        "{staff} ended the gag on the disclosure of {organization} to {authority}, which held until {before}: {reason}",
        ("staff", "organization", "authority", "before", "reason"),
    ),
    "legal.told": Kind("{organization} was told of the disclosure to {authority}", ("organization", "authority")),
    # ---- locked out of every second factor
    "lost_factor.asked": Kind("{email} has lost the second factor and asks to be let in without it", ("email",)),
    "lost_factor.started": Kind(
        "{staff} of support began to take the lost second factor of {email} away: {reason}",
        ("staff", "email", "reason"),
    ),
    "lost_factor.confirmed": Kind("Confirmed that {email} has lost the second factor", ("email",)),
    "lost_factor.stopped": Kind("The second factor of {email} stays: {why}", ("email", "why")),
    "lost_factor.done": Kind(
        "The second factor of {email} was taken away, all their browsers were signed out: {why}", ("email", "why")
    ),
    # ---- who is on the telephone
    "help_code.made": Kind("Made a code to tell support on the telephone"),
    "help_code.used": Kind("{staff} of support took the code of {email}, who was on the telephone", ("staff", "email")),
    # ---- support, while it is let in; {reason} is theirs
    "support.viewed": Kind("{name} of support looked at {what}: {reason}", ("name", "what", "reason")),
    "support.viewed_call": Kind(
        "{name} of support looked at {what}: {reason}", ("name", "what", "reason"), about="call"
    ),
    "support.viewed_import": Kind(
        "{name} of support looked at {what}: {reason}", ("name", "what", "reason"), about="import"
    ),
    "support.downloaded": Kind("{name} of support downloaded {what}: {reason}", ("name", "what", "reason")),
    # ---- retention, and leaving
    "retention.done": Kind(
        "Removed what is older than is kept: {calls} calls with {records} records, {parties} numbers, {files} files, "
        "{audit_events} entries of this list, {archives} takeouts",
        ("calls", "records", "parties", "files", "audit_events", "archives"),
    ),
    "retention.audit_removed": Kind(
        "The beginning of this list, up to entry {position}, is removed; the hash of that entry is {hash}",
        ("position", "hash"),
    ),
    "organization.closed": Kind("Closed the organization; it is erased on {erased_on}", ("erased_on",)),
    "organization.reopened": Kind("Took the closing of the organization back"),
    "organization.grace_anew": Kind(
        "The service was restored from a backup in which the organization is closed: it is erased on {erased_on}, "
        "unless an owner takes that back",
        ("erased_on",),
    ),
    "support.reopened": Kind("{staff} of support took the closing back: {reason}", ("staff", "reason")),
    # ---- erasures; in the chain of the service itself, which names nobody
    "service.reopened": Kind("{staff} brought {organization} back: {reason}", ("staff", "organization", "reason")),
    "service.erased": Kind("An organization was erased: {rows} rows, digest {digest}", ("rows", "digest")),
    "service.person_erased": Kind("A person was erased"),
    # ---- takeouts: everything in one archive
    "takeout.asked": Kind("Asked for a takeout of everything"),
    "support.takeout_started": Kind(
        "{staff} of support had a takeout prepared, which owners alone can fetch: {reason}", ("staff", "reason")
    ),
    "service.takeout_started": Kind(
        "{staff} had a takeout of {organization} prepared: {reason}", ("staff", "organization", "reason")
    ),
    "takeout.ready": Kind("A takeout was ready: {files} files, {size}", ("files", "size")),
    "takeout.fetched": Kind("Fetched a takeout of everything"),
    "takeout.failed": Kind("A takeout could not be made"),
    "takeout.deleted": Kind("A takeout had run out and was deleted"),
    # ----
    "settings.changed": Kind("{setting} was changed: {before} → {after}", ("setting", "before", "after")),
}


def kinds_of(group: Group) -> list[str]:
    return [kind for kind in KINDS if group_of(kind) is group]


def tell(kind: str, words: str | None, *, masked: bool = False) -> str:
    """The sentence of an event. `words` is the JSON of its audit_detail, None once it is erased.

    `masked`: for somebody from whom numbers are hidden, and so what others typed into searches.
    """
    known = KINDS.get(kind)
    if known is None:  # of a version of Callbook that this one is not
        return kind
    if masked and group_of(kind) is Group.SEARCHES:
        return known.sentence.format(**dict.fromkeys(known.words, NOT_SHOWN))
    values = dict.fromkeys(known.words, ERASED) if words is None else json.loads(words)
    return known.sentence.format(**values)
