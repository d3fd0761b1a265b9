"""The background work of this package. Registered with its blueprint, so that whoever has an app has the handlers."""

from webapp.destinations import contact_jobs, place_jobs


def register_jobs() -> None:
    contact_jobs.register_jobs()
    place_jobs.register_jobs()
