"""What a feature declares in its `events.py`: a class per event, and who is to hear of it."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from imghost_api.db.engine import Session


class Event(BaseModel):
    """Something that happened in a workspace; the class says its `type` (such as `image.deleted`) and version.

    Events are stored as JSON and may be read by another release: unknown fields are ignored, a new field needs a
    default, and a change that old readers would misread needs a higher `version`, which they leave to newer ones.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    version: ClassVar[int] = 1

    workspace_id: UUID

    @property
    @abstractmethod
    def subject(self) -> str:
        """What it happened to, such as `image/<id>`: events of one subject are delivered in the order of commits."""


AnyEvent = TypeVar("AnyEvent", bound=Event)
Handle = Callable[[Session, AnyEvent], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """One type of event and what is done about it; made by `on`."""

    event: type[Event]
    handle: Handle[Any]


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Something that reacts to events, under a name that stays: deliveries are stored under it.

    A handler gets a session in the event's workspace. What it writes is committed together with the fact that the
    event was delivered, so it happens once; the session also takes jobs and further events. Anything outside of the
    database belongs in a job that the handler enqueues: a job may run twice.
    """

    name: str
    subscriptions: Mapping[str, Subscription]

    @classmethod
    def to(cls, name: str, *subscriptions: Subscription) -> Self:
        """A subscriber to some types of event."""
        return cls(name, {subscription.event.type: subscription for subscription in subscriptions})


def on(event: type[AnyEvent], handle: Handle[AnyEvent]) -> Subscription:
    """Call `handle` for every `event`."""
    return Subscription(event, handle)
