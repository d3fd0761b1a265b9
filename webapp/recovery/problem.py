"""What keeps a backup, a restore or a drill from being done, in words for whoever runs the command."""


class RecoveryProblem(Exception):
    """Nothing half there was left. Its words say what happened and what to do; no secret is in them."""


class NotBegun(RecoveryProblem):
    """It could not even begin, for a reason that its timer should be asked about: noted as a run that failed."""
