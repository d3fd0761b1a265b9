"""The app for `flask` commands and for any WSGI server: `wsgi:app`, made when it is first asked for.

A server refuses to start on settings or a database that are not right. Commands do not: they are how one puts them
right, so they explain by themselves. `make serve` goes by webapp/serving.py, which also does background work.
"""

import os
import sys

from flask import Flask

from config import SettingsError, load_settings
from webapp import create_app
from webapp.cli import register_commands
from webapp.database.installation import InstallationError, check_start, open_database


def __getattr__(name: str) -> Flask:
    if name != "app":
        raise AttributeError(name)
    is_command = os.environ.get("FLASK_RUN_FROM_CLI") == "true" and "run" not in sys.argv[1:2]
    app = _app_for_commands() if is_command else _app_for_server()
    globals()["app"] = app
    return app


def _app_for_server() -> Flask:
    try:
        settings = load_settings()
        database = open_database(settings)
        check_start(database, settings)
    except (SettingsError, InstallationError) as error:
        raise SystemExit(f"Callbook does not start.\n{error}") from None
    return create_app(settings, database)


def _app_for_commands() -> Flask:
    try:
        settings = load_settings()
    except SettingsError:
        bare = Flask("callbook")  # `flask check` says what is wrong, every other command too
        register_commands(bare)
        return bare
    return create_app(settings, open_database(settings))
