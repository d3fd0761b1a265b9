"""The fixtures of accounts, for every file here."""

from tests.accounts.authenticator import clock

__all__ = ["clock"]
