"""What imaging reads and writes in the database of the api: one view of images, and one table of view events.

The api creates the view and grants exactly these columns; imaging selects and inserts exactly these. A release adds a
column in its pre migration, so that imaging of either release finds its columns.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

IMAGES_VIEW = "delivery_images"
VIEW_EVENTS_TABLE = "view_events"


@dataclass(frozen=True, slots=True)
class DeliveryImage:
    """A live, unblocked image: one row of the view. Sizes in bytes and pixels; `original_name` was chosen by a user.

    `metadata_policy` is that of the workspace, None for the tenant's. `delivered_filter` and `delivered_size` are those
    of `Ingested`; both are None for an image that was taken before there was a filter.
    `bandwidth_exceeded` is the plan's policy (`wait` or `pay`) once the workspace has used up the month's bandwidth.
    """

    public_id: str
    image_id: UUID
    workspace_id: UUID
    filename: str
    original_name: str
    mime_type: str
    extension: str
    variant_extension: str
    size: int
    width: int
    height: int
    sha256: str
    is_public: bool
    uploaded_at: datetime
    metadata_policy: str | None
    delivered_filter: str | None
    delivered_size: int | None
    bandwidth_exceeded: str | None


@dataclass(frozen=True, slots=True)
class ViewEvent:
    """One delivery of an image. `variant` is `original` or a variant's name; the last two are client claims.

    `bytes` of every delivery count; `is_view` says whether it counts as a view too.
    """

    image_id: UUID
    viewed_at: datetime
    variant: str
    bytes: int
    status: int
    is_view: bool
    referrer_host: str | None
    user_agent: str | None


VIEW_COUNT_COLUMN = "views"
"""Column of the view that is read by itself: it counts events that are not rolled up yet, which costs a scan."""
IMAGE_COLUMNS = tuple(field.name for field in fields(DeliveryImage))
VIEW_EVENT_COLUMNS = tuple(field.name for field in fields(ViewEvent))
