"""Provisions one tenant: creates database, roles, prefix and key, verifies them periodically, and revokes them."""

import asyncio
import hashlib
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

from imghost_operator.build_inputs import Database, Signing, Store
from imghost_operator.crd import Spec
from imghost_operator.errors import BackendDown, BackendRefused, Problem, UnknownBackend
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.provision import delivered
from imghost_operator.provision.backends import DatabaseBackend, StoreBackend
from imghost_operator.provision.circuit_breaker import CircuitBreaker
from imghost_operator.provision.credentials import Credentials

Part = Literal["database", "storage"]
PARTS: tuple[Part, ...] = ("database", "storage")
VERIFY_SECONDS = 900.0
RETRY_REFUSED_SECONDS = 60.0
LOOK_DURING_OUTAGE_SECONDS = 30.0
_G = TypeVar("_G", bound=CircuitBreaker[Any])
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What a tenant has outside the cluster.

    `problems` says what is wrong with a part now; `ready` holds the parts whose backend knows the credentials that are
    described here, so that objects which carry these may be written. `due_in` is the time until the next pass, in
    seconds.
    """

    database: Database
    store: Store
    signing: Signing
    problems: Mapping[Part, Problem]
    ready: frozenset[Part]
    due_in: float


@dataclass(frozen=True, slots=True)
class _Verified:
    """When a part was last made as its fingerprint says, at which count of outages, and what came of it."""

    fingerprint: str
    due: float
    outages: int
    value: Any = field(repr=False)
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class _Expected(Generic[_V]):
    """A part as described, not asked for: whether the tenant's Secrets have it, and what the backend would list."""

    value: _V = field(repr=False)
    is_delivered: bool
    listed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Ensured(Generic[_V]):
    """A part as its backend has it, or as described while there is a problem."""

    value: _V = field(repr=False)
    problem: Problem | None
    is_ready: bool


@dataclass(slots=True)
class Provisioner:
    """All backends of this operator, each behind its circuit breaker, and when each tenant was last verified there."""

    databases: Mapping[str, CircuitBreaker[DatabaseBackend]]
    stores: Mapping[str, CircuitBreaker[StoreBackend]]
    clock: Callable[[], float] = time.monotonic
    _verified: dict[tuple[str, Part], _Verified] = field(default_factory=dict)
    _inventories: dict[int, tuple[int, Mapping[str, str]]] = field(default_factory=dict)
    _looking: defaultdict[int, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    @property
    def breakers(self) -> list[CircuitBreaker[Any]]:
        """Every backend, to be watched."""
        return [*self.databases.values(), *self.stores.values()]

    def check_references(self, spec: Spec) -> None:
        """Raise `UnknownBackend` when the spec names a backend that this operator does not have."""
        self._database(spec)
        self._store(spec)

    async def provision(
        self, tenant: str, spec: Spec, known: Credentials, live: Mapping[ObjectRef, Object], database_id: str = ""
    ) -> Provisioned:
        """Provision database and store where that is not known to be done; else call no backend.

        It is known when the tenant's Secrets (of `live`) were written for this backend, which writes only after
        provisioning, and the backend still has what they stand for: `database_id` is the identity of the database
        that was migrated.
        """
        database, store = self._database(spec), self._store(spec)
        described = replace(database.backend.describe(tenant, known.passwords), identity=database_id)
        stored = store.backend.describe(tenant, known.store_secrets)
        limit = spec.database.connection_limit
        keys, secrets = [key.id for key in stored.keys.values()], [key.secret for key in stored.keys.values()]
        made, kept = await asyncio.gather(
            self._ensure(
                (tenant, "database"),
                database,
                lambda backend: backend.ensure(tenant, known.passwords, limit),
                _Expected(described, delivered.has_database(tenant, live, described), {described.name: database_id}),
                _fingerprint(described.urls.values(), limit),
            ),
            self._ensure(
                (tenant, "storage"),
                store,
                lambda backend: backend.ensure(tenant, known.store_secrets),
                _Expected(stored, delivered.has_store(tenant, live, stored), dict.fromkeys(keys or [tenant], "")),
                _fingerprint(secrets, *stored.config.items()),
            ),
        )
        outcome: dict[Part, _Ensured[Any]] = {"database": made, "storage": kept}
        return Provisioned(
            made.value,
            kept.value,
            known.signing,
            {part: ensured.problem for part, ensured in outcome.items() if ensured.problem},
            frozenset(part for part, ensured in outcome.items() if ensured.is_ready),
            self._due_in(tenant, database, store),
        )

    async def release(self, tenant: str, spec: Spec) -> dict[Part, Problem]:
        """Revoke the tenant's credentials and, where its policy is Delete, its data. Returns what failed."""
        self.forget(tenant)
        delete = spec.deletion_policy == "Delete"

        async def end_database() -> None:
            breaker = self._database(spec)
            await breaker.call(lambda backend: backend.revoke(tenant))
            if delete:
                await breaker.call(lambda backend: backend.drop(tenant))

        async def end_store() -> None:
            breaker = self._store(spec)
            await breaker.call(lambda backend: backend.revoke(tenant))
            if delete:
                await breaker.call(lambda backend: backend.empty(tenant))

        results = await asyncio.gather(_problem_in(end_database()), _problem_in(end_store()))
        return {part: problem for part, problem in zip(PARTS, results, strict=True) if problem}

    def forget(self, tenant: str) -> None:
        """Discard what is stored about a deleted tenant."""
        for part in PARTS:
            self._verified.pop((tenant, part), None)

    async def _ensure(
        self,
        key: tuple[str, Part],
        breaker: CircuitBreaker[Any],
        action: Callable[[Any], Awaitable[_V]],
        expected: "_Expected[_V]",
        fingerprint: str,
    ) -> "_Ensured[_V]":
        last = self._verified.get(key)
        if expected.is_delivered and (last is None or last.outages != breaker.outages):
            try:
                last = await self._first_look(key, breaker, expected, fingerprint)
            except (BackendDown, BackendRefused) as error:
                return _Ensured(expected.value, error, is_ready=True)
        if expected.is_delivered and last and last.fingerprint == fingerprint and self.clock() < last.due:
            return _Ensured(last.value, breaker.problem or last.problem, is_ready=True)
        value, problem, due = expected.value, None, VERIFY_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
        outages = breaker.outages  # before: what a backend that is replaced meanwhile did, its successor did not
        try:
            value = await breaker.call(action)
        except (BackendDown, BackendRefused) as error:
            problem, due = error, breaker.retry_in or RETRY_REFUSED_SECONDS
            outages = breaker.outages
        self._verified[key] = _Verified(fingerprint, self.clock() + due, outages, value, problem)
        return _Ensured(value, problem, is_ready=expected.is_delivered or problem is None)

    async def _first_look(
        self, key: tuple[str, Part], breaker: CircuitBreaker[Any], expected: "_Expected[_V]", fingerprint: str
    ) -> "_Verified | None":
        """After a restart or an outage: one list for all tenants shows whether theirs is still there.

        If so, the full verifications are spread over time.
        """
        async with self._looking[id(breaker)]:
            inventory = self._inventories.get(id(breaker))
            if inventory is None or inventory[0] != breaker.outages:
                outages = breaker.outages
                found = await breaker.call(lambda backend: backend.inventory())
                inventory = self._inventories[id(breaker)] = (outages, found)
        if not expected.listed.items() <= inventory[1].items():
            return None
        due = self.clock() + random.uniform(0, VERIFY_SECONDS)  # noqa: S311 - spreads load
        last = self._verified[key] = _Verified(fingerprint, due, inventory[0], expected.value)
        return last

    def _due_in(self, tenant: str, *breakers: CircuitBreaker[Any]) -> float:
        """Seconds until the next pass: when the verification is due, or some time into an outage.

        The circuit breaker reports a returning backend immediately; an earlier pass would find the same.
        """
        looks = [LOOK_DURING_OUTAGE_SECONDS for breaker in breakers if breaker.problem]
        known = [self._verified[tenant, part] for part in PARTS if (tenant, part) in self._verified]
        dues = [each.due - self.clock() for each in known] if len(known) == len(PARTS) else [RETRY_REFUSED_SECONDS]
        return max(1.0, min([*looks, *dues]))

    def _database(self, spec: Spec) -> CircuitBreaker[DatabaseBackend]:
        return _find(self.databases, spec.database.instance_ref, "spec.database.instanceRef")

    def _store(self, spec: Spec) -> CircuitBreaker[StoreBackend]:
        return _find(self.stores, spec.storage.backend_ref, "spec.storage.backendRef")


def _find(breakers: Mapping[str, _G], name: str, where: str) -> _G:
    if breaker := breakers.get(name):
        return breaker
    raise UnknownBackend(
        f"{where} is '{name}', which this operator does not have; it has {', '.join(sorted(breakers)) or 'none'}. "
        "Add it to the operator's settings, or recreate the tenant with one of these."
    )


def _fingerprint(secrets: Iterable[str], *others: object) -> str:
    return hashlib.sha256(repr([*secrets, *others]).encode()).hexdigest()


async def _problem_in(step: Coroutine[Any, Any, None]) -> Problem | None:
    try:
        await step
    except (BackendDown, BackendRefused) as problem:
        return problem
    return None
