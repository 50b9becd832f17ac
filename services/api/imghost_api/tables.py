"""Every table and view of the database, gathered from the rooms that own them."""

from imghost_api.access import tables as access
from imghost_api.accounts import tables as accounts
from imghost_api.accounts.sessions import tables as sessions
from imghost_api.db.base import Relation, mapped_relations
from imghost_api.db.schema import VERSIONS
from imghost_api.events import tables as events
from imghost_api.idempotency import tables as idempotency
from imghost_api.images import tables as images
from imghost_api.jobs.tables import QUEUE
from imghost_api.plans import tables as plans

ROOMS = (plans, access, accounts, sessions, images, idempotency, events)
"""Modules with tables; importing one registers its classes."""
RELATIONS: tuple[Relation, ...] = (*mapped_relations(), images.DELIVERY_VIEW, *QUEUE, *VERSIONS)
"""What `migrate` isolates and grants."""
