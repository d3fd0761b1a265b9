"""The declarative base of every mapping. Mappings state names, Python types, nullability and keys, nothing else."""

from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """schema.sql is the truth about tables; tests/house/test_schema.py holds the mappings to it."""
