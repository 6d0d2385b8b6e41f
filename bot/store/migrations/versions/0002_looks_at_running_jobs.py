"""Looks at running jobs: how often a job was seen to move, and which looks are old"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_looks", sa.Column("moves", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_job_looks_seen", "job_looks", ["seen_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_job_looks_seen", table_name="job_looks")
    with op.batch_alter_table("job_looks", schema=None) as batch_op:
        batch_op.drop_column("moves")
