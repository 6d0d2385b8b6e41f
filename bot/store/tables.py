"""The tables. Times are UTC; JSON columns hold plain records, never pickles."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Utc(sa.types.TypeDecorator[datetime]):
    """An aware moment; SQLite drops the zone, so it is put back on reading. Naive values are refused."""

    impl: Any = sa.DateTime(timezone=True)
    cache_ok: bool | None = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a moment without a zone does not go into the store")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _when(name: str, *, required: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Utc, nullable=not required)


def _text(name: str, *, default: str = "") -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, default=default, server_default=default)


def _number(name: str, default: int = 0) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=False, default=default, server_default=str(default))


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(none_as_null=True), nullable=True)


# Commands, clicks and activities, stored before they are acknowledged.
inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("dedupe", sa.Text, nullable=True, unique=True),
    _text("kind"),
    sa.Column("payload", sa.JSON, nullable=False),
    _when("received_at", required=True),
    _text("state", default="new"),
    _text("owner"),
    _number("tries"),
    _text("error"),
    sa.Index("ix_inbox_waiting", "state", "received_at"),
)

# Deliveries of alerts, stored before they are accepted.
alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("delivery_key", sa.Text, nullable=False, unique=True),
    sa.Column("payload", sa.JSON, nullable=False),
    _when("received_at", required=True),
    _text("state", default="new"),
    _text("owner"),
    sa.Column("incident_id", sa.Text, nullable=True),
    _number("tries"),
    _text("error"),
    sa.Index("ix_alerts_waiting", "state", "received_at"),
)

OPEN = sa.text("state = 'open'")
incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("parent_id", sa.Text, nullable=True),
    _text("state", default="open"),
    _text("severity", default="warning"),
    _text("operation", default="backup"),
    _text("family"),
    _text("code"),
    _text("vault_id"),
    _text("vault_name"),
    _text("item_id"),
    _text("item_name"),
    _text("rule"),
    _text("what"),
    _number("failures"),
    _when("opened_at", required=True),
    _when("updated_at", required=True),
    _when("closed_at"),
    _text("closed_reason"),
    _json("owner"),
    _when("snoozed_until"),
    _json("facts"),
    _json("diagnosis"),
    _text("diagnosis_state", default="due"),
    _text("job_id"),
    _json("places"),
    _when("due_at"),
    _number("tries"),
    sa.Index("one_live_incident_per_key", "key", unique=True, sqlite_where=OPEN, postgresql_where=OPEN),
    sa.Index("ix_incidents_due", "due_at"),
)

LIVE = sa.text("state IN ('requested', 'approved', 'executing')")
approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _text("state", default="requested"),
    sa.Column("incident_id", sa.Text, nullable=True),
    _text("fix"),
    _text("risk"),
    _text("vault_id"),
    _text("vault_name"),
    _text("item_id"),
    _text("item_name"),
    sa.Column("plan", sa.JSON, nullable=False),
    _text("fingerprint"),
    _text("operator_client_id"),
    sa.Column("requester", sa.JSON, nullable=False),
    sa.Column("editors", sa.JSON, nullable=False),
    _text("reason"),
    sa.Column("rule", sa.JSON, nullable=False),
    sa.Column("votes", sa.JSON, nullable=False),
    _json("decision"),
    _json("told"),
    _json("places"),
    _when("created_at", required=True),
    _when("expires_at", required=True),
    _when("remind_at"),
    _number("reminders"),
    _when("decided_at"),
    _when("ended_at"),
    _when("due_at"),
    _number("tries"),
    _number("revision"),
    _text("note"),
    _text("subject_key"),
    sa.Index("one_live_request_per_fix_and_item", "subject_key", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),
    sa.Index("ix_approvals_due", "due_at"),
    sa.Index("ix_approvals_state", "state"),
)

approval_targets = sa.Table(
    "approval_targets",
    metadata,
    sa.Column("approval_id", sa.Text, sa.ForeignKey("approvals.id"), primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=True),
)

fix_runs = sa.Table(
    "fix_runs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("approval_id", sa.Text, sa.ForeignKey("approvals.id"), nullable=False, unique=True),
    _text("state", default="executing"),
    sa.Column("plan", sa.JSON, nullable=False),
    sa.Column("steps", sa.JSON, nullable=False),
    _when("started_at", required=True),
    _when("ended_at"),
    _when("due_at"),
    _number("tries"),
    _number("revision"),
    _text("note"),
    _json("proof"),
    sa.Index("ix_fix_runs_due", "due_at"),
)

locks = sa.Table(
    "locks",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    _when("taken_at", required=True),
)

# Rights handed out for a time: the row that takes one back is stored before the right is granted.
grants = sa.Table(
    "grants",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("call", sa.JSON, nullable=False),
    _text("what"),
    _text("state", default="armed"),
    _when("due_at"),
    _when("ended_at"),
    _number("tries"),
    _text("note"),
    sa.Index("ix_grants_due", "due_at"),
)

# The latest state of each message wins: a row is the message as it should be, not a queue of sends.
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    _text("thread_key"),
    _text("mode", default="post"),
    sa.Column("card", sa.JSON, nullable=False),
    _json("reply"),
    _number("revision", 1),
    _number("sent_revision"),
    _text("state", default="due"),
    _text("owner"),
    _when("due_at"),
    _when("sending_at"),
    _when("updated_at", required=True),
    _number("tries"),
    _text("error"),
    sa.Index("ix_outbox_due", "state", "due_at"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("ref", sa.JSON, nullable=False),
    _when("posted_at", required=True),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    _text("at"),
    _text("event"),
    _text("subject"),
    sa.Column("actor", sa.JSON, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    _text("previous"),
    _text("hash"),
    _text("signature"),
)

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    _number("n"),
    _text("hash"),
)

# How far a running job was when it was last looked at, since when it stood there, and how often it was seen to move: for
# telling stuck from slow.
job_looks = sa.Table(
    "job_looks",
    metadata,
    sa.Column("job_id", sa.Text, primary_key=True),
    _text("progress"),
    _when("changed_at", required=True),
    _when("seen_at", required=True),
    _number("moves"),
    sa.Index("ix_job_looks_seen", "seen_at"),
)

drills = sa.Table(
    "drills",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _text("item_key"),
    _text("item_name"),
    _text("vault_name"),
    _when("at", required=True),
    _text("evidence"),
    sa.Column("by", sa.JSON, nullable=False),
    sa.Index("ix_drills_item", "item_key", "at"),
)

# Where Teams reaches conversations, tenants and people, as their last activity said.
conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("record", sa.JSON, nullable=False),
    _when("seen_at", required=True),
)

replicas = sa.Table(
    "replicas",
    metadata,
    sa.Column("executor_id", sa.Text, primary_key=True),
    sa.Column("seen", sa.Float, nullable=False),
)

OUR_TABLES = frozenset(metadata.tables)
