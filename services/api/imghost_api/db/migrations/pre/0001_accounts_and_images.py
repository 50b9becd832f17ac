"""Accounts, keys, plans, images, usage: the tables, the plan catalogue and the delivery view."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

GB, MIB = 10**9, 1024**2
# Uploads a day, requests an hour, storage, bandwidth a month: the requirements' figures for free, pro and enterprise,
# and steps between the first two for basic. Prices are the requirements' too; enterprise is on request.
PLANS = [
    ("free", "Free", 0, 100, 1_000, 1 * GB, 10 * GB, 25 * MIB),
    ("basic", "Basic", 999, 400, 2_500, 10 * GB, 100 * GB, 40 * MIB),
    ("pro", "Pro", 1999, 1_000, 5_000, 50 * GB, 500 * GB, 50 * MIB),
    ("enterprise", "Enterprise", None, 10_000, 20_000, 500 * GB, 5_000 * GB, 100 * MIB),
]


def upgrade() -> None:
    """Make everything, from nothing."""
    make_tables()
    seed_plans()
    make_delivery_view()
    # The delivery view reads with its owner's rights, and so needs to see every workspace's images; only read them.
    for table in ("images", "workspaces"):
        op.execute(f"CREATE POLICY delivery ON {table} FOR SELECT TO CURRENT_USER USING (true)")


def seed_plans() -> None:
    """The catalogue as it starts; from then on it is data."""
    names = (
        "code",
        "name",
        "price_cents",
        "uploads_per_day",
        "requests_per_hour",
        "storage_bytes",
        "bandwidth_bytes_per_month",
        "max_file_bytes",
        "position",
    )
    plans = sa.table("plans", *(sa.column(name) for name in names))
    rows = [dict(zip(names, (*plan, position), strict=True)) for position, plan in enumerate(PLANS)]
    op.bulk_insert(plans, rows)


def make_delivery_view() -> None:
    """All that imaging may read: one row per image that may be shown."""
    op.execute("""
        CREATE VIEW delivery_images WITH (security_barrier) AS
        SELECT i.public_id, i.id AS image_id, i.workspace_id, i.public_id || '.' || i.extension AS filename,
               i.original_name, i.mime_type, i.extension, i.variant_extension, i.file_size AS size,
               i.width::int AS width, i.height::int AS height, i.sha256, i.is_public,
               i.views + (SELECT count(*) FROM view_events e
                          WHERE e.image_id = i.id AND NOT e.counted AND e.status BETWEEN 200 AND 399) AS views,
               i.uploaded_at
        FROM images i JOIN users u ON u.id = i.user_id JOIN workspaces w ON w.id = i.workspace_id
        WHERE i.deleted_at IS NULL AND i.blocked_at IS NULL AND NOT u.is_blocked AND w.suspended_at IS NULL
    """)


def make_tables() -> None:
    """The tables of this revision, with their constraints and indexes."""
    op.create_table(
        "login_attempts",
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_login_attempts")),
    )
    op.create_index(op.f("ix_login_attempts_first_at"), "login_attempts", ["first_at"], unique=False)
    op.create_table(
        "plans",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("price_cents", sa.BigInteger(), nullable=True, comment="US cents a month; NULL is on request"),
        sa.Column("uploads_per_day", sa.BigInteger(), nullable=False),
        sa.Column("requests_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("storage_bytes", sa.BigInteger(), nullable=False),
        sa.Column("bandwidth_bytes_per_month", sa.BigInteger(), nullable=False),
        sa.Column("max_file_bytes", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_plans")),
    )
    op.create_table(
        "rate_windows",
        sa.Column("subject", sa.Uuid(), nullable=False, comment="Id of a key or of a workspace"),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "window_start", name=op.f("pk_rate_windows")),
    )
    op.create_index(op.f("ix_rate_windows_window_start"), "rate_windows", ["window_start"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("is_admin", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_verified", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_blocked", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("delete_scheduled_for", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index("uq_users_email", "users", ["email"], unique=True)
    op.create_index("uq_users_username", "users", [sa.literal_column("lower(username)")], unique=True)
    op.create_table(
        "view_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("image_id", sa.Uuid(), nullable=False),
        sa.Column("viewed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("variant", sa.Text(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("referrer_host", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("counted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_view_events")),
    )
    op.create_index(
        "ix_view_events_uncounted", "view_events", ["image_id"], unique=False, postgresql_where=sa.text("NOT counted")
    )
    op.create_index(op.f("ix_view_events_viewed_at"), "view_events", ["viewed_at"], unique=False)
    op.create_table(
        "workspaces",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("plan_code", sa.Text(), nullable=False),
        sa.Column(
            "storage_used",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Bytes of the live originals",
        ),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("storage_used >= 0", name=op.f("ck_workspaces_storage_used")),
        sa.ForeignKeyConstraint(["plan_code"], ["plans.code"], name=op.f("fk_workspaces_plan_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspaces")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("claim", sa.Uuid(), nullable=False, comment="Which upload holds it; a taken-over one cannot finish"),
        sa.Column("claimed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "reply",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
            comment="NULL while it runs",
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_idempotency_keys_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_expires_at"), "idempotency_keys", ["expires_at"], unique=False)
    op.create_table(
        "images",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("original_name", sa.Text(), nullable=False),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("extension", sa.Text(), nullable=False),
        sa.Column("variant_extension", sa.Text(), nullable=False),
        sa.Column("file_size", sa.BigInteger(), nullable=False),
        sa.Column("variant_bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.BigInteger(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("views", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_public", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("file_size > 0", name=op.f("ck_images_file_size")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_images_user_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_images_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_images")),
        sa.UniqueConstraint("public_id", name=op.f("uq_images_public_id")),
    )
    op.create_index(
        "ix_images_deleted_at",
        "images",
        ["deleted_at"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_index(
        "ix_images_page",
        "images",
        ["workspace_id", sa.literal_column("uploaded_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(op.f("ix_images_user_id"), "images", ["user_id"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name=op.f("ck_memberships_role")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_memberships_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "user_id", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_user_id"), "memberships", ["user_id"], unique=False)
    op.create_table(
        "usage_daily",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("uploads_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("views_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("bandwidth_used", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_usage_daily_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "day", name=op.f("pk_usage_daily")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("last_four", sa.Text(), nullable=False),
        sa.Column("key_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("rate_limit_per_hour", sa.BigInteger(), nullable=False),
        sa.Column(
            "requests_count",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Of the hours already folded in",
        ),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("rate_limit_per_hour > 0", name=op.f("ck_api_keys_rate_limit_per_hour")),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            ["memberships.workspace_id", "memberships.user_id"],
            name=op.f("fk_api_keys_workspace_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hmac", name=op.f("uq_api_keys_key_hmac")),
    )
    op.create_index(
        op.f("ix_api_keys_workspace_id_created_at_id"), "api_keys", ["workspace_id", "created_at", "id"], unique=False
    )
