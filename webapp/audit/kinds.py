"""The closed list of what is recorded, with the words each kind needs. `sentence` is how "Who looked" tells it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """`words` are the names of its words in audit_detail; `sentence` is filled in with them."""

    sentence: str
    words: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {
    "organization.made": Kind("The organization was made", ("name",)),
    "member.joined": Kind("{email} joined as {role}", ("email", "role")),
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
    "member.left": Kind("{email} left", ("email",)),
    "settings.changed": Kind("{setting} was changed: {before} → {after}", ("setting", "before", "after")),
}
