"""Known addresses of accounts, bounds of view events, and what happens when a plan's bandwidth is used up."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_BOUNDS = {
    "variant": "char_length(variant) <= 16",
    "bytes": "bytes BETWEEN 0 AND 1099511627776",
    "status": "status BETWEEN 100 AND 599",
    "referrer_host": "char_length(referrer_host) <= 253",
    "user_agent": "char_length(user_agent) <= 256",
    "viewed_at": "viewed_at BETWEEN '2020-01-01 00:00:00+00' AND '2100-01-01 00:00:00+00'",
}


def upgrade() -> None:
    """Add what the previous release does not know and need not know: it keeps working."""
    op.create_table(
        "known_addresses",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False, comment="Keyed hash: the address itself is not stored"),
        sa.Column("last_used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_known_addresses_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "address", name=op.f("pk_known_addresses")),
    )
    op.create_index(op.f("ix_known_addresses_last_used_at"), "known_addresses", ["last_used_at"])
    _bound_view_events()
    _limit_bandwidth()


def _bound_view_events() -> None:
    """Imaging inserts these rows: an attacker who takes it over cannot fill the disk by one row or break the roll-up.
    Rows that exist keep the bounds already. They are read under the lock; imaging keeps its events meanwhile.
    """
    op.add_column("view_events", sa.Column("is_view", sa.Boolean(), server_default=sa.true(), nullable=False))
    for column, bound in _BOUNDS.items():
        op.execute(f"ALTER TABLE view_events ADD CONSTRAINT ck_view_events_{column} CHECK ({bound})")


def _limit_bandwidth() -> None:
    """Say for each plan what happens to deliveries when the month's bandwidth is used up, and show it to imaging."""
    op.add_column(
        "plans",
        sa.Column(
            "bandwidth_policy",
            sa.Text(),
            server_default=sa.text("'wait'"),
            nullable=False,
            comment="Deliveries beyond the bandwidth: wait for the next month (429), or pay for a larger plan (402)",
        ),
    )
    op.create_check_constraint(op.f("ck_plans_bandwidth_policy"), "plans", "bandwidth_policy IN ('wait', 'pay')")
    op.execute("UPDATE plans SET bandwidth_policy = 'pay' WHERE price_cents IS DISTINCT FROM 0")
    # As on images and workspaces: the view reads with its owner's rights.
    op.execute("CREATE POLICY delivery ON usage_daily FOR SELECT TO CURRENT_USER USING (true)")
    op.execute("""
        CREATE OR REPLACE VIEW delivery_images WITH (security_barrier) AS
        SELECT i.public_id, i.id AS image_id, i.workspace_id, i.public_id || '.' || i.extension AS filename,
               i.original_name, i.mime_type, i.extension, i.variant_extension, i.file_size AS size,
               i.width::int AS width, i.height::int AS height, i.sha256, i.is_public,
               i.views + (SELECT count(*) FROM view_events e
                          WHERE e.image_id = i.id AND NOT e.counted AND e.is_view
                            AND e.status BETWEEN 200 AND 399) AS views,
               i.uploaded_at, w.metadata_policy, i.delivered_filter, i.delivered_size,
               (SELECT p.bandwidth_policy FROM plans p
                WHERE p.code = w.plan_code AND p.bandwidth_bytes_per_month <= (
                    SELECT coalesce(sum(d.bandwidth_used), 0) FROM usage_daily d
                    WHERE d.workspace_id = i.workspace_id
                      AND d.day >= date_trunc('month', now() AT TIME ZONE 'UTC')::date
                )) AS bandwidth_exceeded
        FROM images i JOIN users u ON u.id = i.user_id JOIN workspaces w ON w.id = i.workspace_id
        WHERE i.deleted_at IS NULL AND i.blocked_at IS NULL AND NOT u.is_blocked AND w.suspended_at IS NULL
    """)
