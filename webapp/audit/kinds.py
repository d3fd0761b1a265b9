"""The closed list of what is recorded, with the words each kind needs. `sentence` is how "Who looked" tells it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """`words` are the names of its words in audit_detail; `sentence` is filled in with them."""

    sentence: str
    words: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {
    "organization.made": Kind("The organization was made", ("name",)),
    # --- numbers and narrowing (calls/, invitations/look_as_views.py)
    "number.shown": Kind("The number {number} was shown in full", ("number",)),  # the number as masked
    # ---
    "member.joined": Kind("{email} joined as {role}", ("email", "role")),
}
