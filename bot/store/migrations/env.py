"""Alembic's entry: runs on the connection that the store hands over."""

from alembic import context
from sqlalchemy.schema import SchemaItem

from bot.store.tables import OUR_TABLES, metadata


def _ours(item: SchemaItem, name: str | None, kind: str, reflected: bool, _other: object) -> bool:  # noqa: FBT001
    """The engine keeps its tables in the same SQLite file: leave everything alone that is not ours."""
    del item
    return not (kind == "table" and reflected and name not in OUR_TABLES)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    include_object=_ours,
    version_table="backupbot_version",
)
with context.begin_transaction():
    context.run_migrations()
