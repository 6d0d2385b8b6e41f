"""The part of the Kusto query language that Resource Graph queries about backups use."""

from simulator.kql.lexer import KqlError
from simulator.kql.run import Table, run

__all__ = ["KqlError", "Table", "run"]
