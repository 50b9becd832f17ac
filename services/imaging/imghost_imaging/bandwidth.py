"""The month's bandwidth of a workspace: once it is used up, its images are not delivered."""

from datetime import UTC, datetime, time, timedelta

from imghost_core.contract.delivery import DeliveryImage
from imghost_core.contract.errors import BandwidthUnpaid, BandwidthUsedUp

PAY = "pay"
"""The policy of plans whose owners are asked to change the plan; all others wait for the next month."""


def require_bandwidth(image: DeliveryImage, now: datetime) -> None:
    """Raise `BandwidthUsedUp` or `BandwidthUnpaid`, as the plan says, when the bandwidth is used up."""
    if image.bandwidth_exceeded == PAY:
        raise BandwidthUnpaid
    if image.bandwidth_exceeded:
        raise BandwidthUsedUp(int((_next_month(now) - now).total_seconds()) + 1)


def _next_month(now: datetime) -> datetime:
    first = datetime.combine(now.date().replace(day=1), time(), UTC)
    return (first + timedelta(days=32)).replace(day=1)
