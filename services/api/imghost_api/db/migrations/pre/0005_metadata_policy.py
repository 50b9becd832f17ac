"""Originals without metadata: the policy of a workspace, and what the filter left of an image."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add columns that may be NULL: no row is rewritten, and the previous release can still insert."""
    op.add_column(
        "workspaces",
        sa.Column("metadata_policy", sa.Text(), nullable=True, comment="strip, keep or owner; NULL is the tenant's"),
    )
    op.create_check_constraint(
        op.f("ck_workspaces_metadata_policy"), "workspaces", "metadata_policy IN ('strip', 'keep', 'owner')"
    )
    op.add_column(
        "images",
        sa.Column(
            "delivered_filter", sa.Text(), nullable=True, comment="Filter that removed the metadata of the original"
        ),
    )
    op.add_column(
        "images",
        sa.Column(
            "delivered_size",
            sa.BigInteger(),
            nullable=True,
            comment="Bytes it left; NULL when there was nothing to remove",
        ),
    )
    # The columns so far keep their order, as PostgreSQL requires; imaging of the previous release reads them.
    op.execute("""
        CREATE OR REPLACE VIEW delivery_images WITH (security_barrier) AS
        SELECT i.public_id, i.id AS image_id, i.workspace_id, i.public_id || '.' || i.extension AS filename,
               i.original_name, i.mime_type, i.extension, i.variant_extension, i.file_size AS size,
               i.width::int AS width, i.height::int AS height, i.sha256, i.is_public,
               i.views + (SELECT count(*) FROM view_events e
                          WHERE e.image_id = i.id AND NOT e.counted AND e.status BETWEEN 200 AND 399) AS views,
               i.uploaded_at, w.metadata_policy, i.delivered_filter, i.delivered_size
        FROM images i JOIN users u ON u.id = i.user_id JOIN workspaces w ON w.id = i.workspace_id
        WHERE i.deleted_at IS NULL AND i.blocked_at IS NULL AND NOT u.is_blocked AND w.suspended_at IS NULL
    """)
