"""The outbox of events, its subscribers, and the deliveries still to be made."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the three tables."""
    now = sa.text("now()")
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False, comment="No foreign key: events outlive their workspace"),
        sa.Column(
            "subject",
            sa.Text(),
            nullable=False,
            comment="Events of one subject are numbered in the order of their commits",
        ),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("routed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_unrouted", "outbox", ["id"], postgresql_where=sa.text("NOT routed"))
    op.create_index("ix_outbox_type_id", "outbox", ["type", "id"])
    op.create_table(
        "event_subscriptions",
        sa.Column("subscriber", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("subscriber", "type", name=op.f("pk_event_subscriptions")),
    )
    op.create_table(
        "event_deliveries",
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("subscriber", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("error", sa.Text(), nullable=True, comment="Of the last attempt: a code or a type, never a value"),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True, comment="Since when it is a dead letter"),
        sa.ForeignKeyConstraint(
            ["event_id"], ["outbox.id"], name=op.f("fk_event_deliveries_event_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["subscriber", "type"],
            ["event_subscriptions.subscriber", "event_subscriptions.type"],
            name=op.f("fk_event_deliveries_subscriber_type"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("event_id", "subscriber", name=op.f("pk_event_deliveries")),
    )
    op.create_index(op.f("ix_event_deliveries_subscriber_event_id"), "event_deliveries", ["subscriber", "event_id"])
    op.create_index(
        op.f("ix_event_deliveries_subscriber_subject_event_id"),
        "event_deliveries",
        ["subscriber", "subject", "event_id"],
    )
