"""The catalogue: one entry for each table of schema.sql, and what follows from it.

The data inventory, the takeout and the erasure are driven by it; tests/privacy/test_catalogue.py holds it against
schema.sql. The entries stand by area in the catalogue_*.py files, what they are made of in entries.py.
"""

from graphlib import TopologicalSorter
from typing import Any

from webapp.database.base import Base
from webapp.privacy.catalogue_accounts import ACCOUNTS
from webapp.privacy.catalogue_calls import CALLS
from webapp.privacy.catalogue_destinations import DESTINATIONS
from webapp.privacy.catalogue_people import ORGANIZATION
from webapp.privacy.catalogue_service import ACCESS, RECORDED, SERVICE
from webapp.privacy.catalogue_systems import SYSTEMS
from webapp.privacy.entries import Exported, How, Table

#: In the order in which a reader meets them.
TABLES: dict[str, Table] = {
    table.name: table
    for group in (CALLS, SYSTEMS, DESTINATIONS, ORGANIZATION, ACCOUNTS, RECORDED, ACCESS, SERVICE)
    for table in group
}


def list_erasable() -> list[Table]:
    """The tables that leaving erases rows of, children before what they refer to: `erased.how` says which rows."""
    parents = {name: table.refers_to for name, table in TABLES.items()}
    order = [TABLES[name] for name in TopologicalSorter(parents).static_order()]
    return [table for table in reversed(order) if table.erased.how not in (How.OF_THEMSELVES, How.STAYS)]


def list_exported() -> list[tuple[Table, Exported]]:
    """The tables that a takeout has, in the order of TABLES, each with how it is written."""
    return [(table, table.takeout) for table in TABLES.values() if isinstance(table.takeout, Exported)]


def mapped_class(table: Table) -> Any:
    """The class whose objects are its rows."""
    return next(each.class_ for each in Base.registry.mappers if each.class_.__tablename__ == table.name)
