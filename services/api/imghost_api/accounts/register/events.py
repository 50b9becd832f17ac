"""What happens to accounts."""

from typing import ClassVar
from uuid import UUID

from imghost_api.events.event import Event


class UserRegistered(Event):
    """A user registered, with a workspace of their own."""

    type: ClassVar[str] = "user.registered"

    user_id: UUID

    @property
    def subject(self) -> str:
        """The user."""
        return f"user/{self.user_id}"
