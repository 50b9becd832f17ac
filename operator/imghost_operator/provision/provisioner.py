"""Provisions one tenant: creates database, roles, prefix and key, verifies them periodically, and revokes them."""

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from imghost_operator.build_inputs import Database, Signing, Store
from imghost_operator.crd import Spec
from imghost_operator.errors import BackendDown, BackendRefused, Problem, UnknownBackend
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.provision import credentials
from imghost_operator.provision.backends import DatabaseBackend, StoreBackend
from imghost_operator.provision.circuit_breaker import CircuitBreaker

Part = Literal["database", "storage"]
PARTS: tuple[Part, ...] = ("database", "storage")
VERIFY_SECONDS = 900.0
RETRY_REFUSED_SECONDS = 60.0
LOOK_DURING_OUTAGE_SECONDS = 30.0
_G = TypeVar("_G", bound=CircuitBreaker[Any])


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


@dataclass(slots=True)
class _Verified:
    fingerprint: str
    due: float
    problem: Problem | None = None


@dataclass(slots=True)
class Provisioner:
    """All backends of this operator, each behind its circuit breaker, and when each tenant was last verified there."""

    databases: Mapping[str, CircuitBreaker[DatabaseBackend]]
    stores: Mapping[str, CircuitBreaker[StoreBackend]]
    clock: Callable[[], float] = time.monotonic
    _verified: dict[tuple[str, Part], _Verified] = field(default_factory=dict)

    @property
    def breakers(self) -> list[CircuitBreaker[Any]]:
        """Every backend, to be watched."""
        return [*self.databases.values(), *self.stores.values()]

    def check_references(self, spec: Spec) -> None:
        """Raise `UnknownBackend` when the spec names a backend that this operator does not have."""
        self._database(spec)
        self._store(spec)

    async def provision(self, tenant: str, spec: Spec, children: Mapping[ObjectRef, Object]) -> Provisioned:
        """Provision database and store if Secrets are missing or a verification is due; else call no backend."""
        database, store = self._database(spec), self._store(spec)
        known = credentials.read(children, store_key_id=store.backend.describe(tenant, "").key_id)
        limit = spec.database.connection_limit
        problems = await asyncio.gather(
            self._ensure(
                (tenant, "database"),
                database,
                lambda backend: backend.ensure(tenant, known.passwords, limit),
                _fingerprint(known.passwords.values(), limit),
                fresh=known.database_is_fresh,
            ),
            self._ensure(
                (tenant, "storage"),
                store,
                lambda backend: backend.ensure(tenant, known.store_secret),
                _fingerprint([known.store_secret]),
                fresh=known.store_is_fresh,
            ),
        )
        outcome = dict(zip(PARTS, problems, strict=True))
        found = {part: problem for part, (problem, _) in outcome.items() if problem}
        ready = {part for part, (_, is_ready) in outcome.items() if is_ready}
        return Provisioned(
            database.backend.describe(tenant, known.passwords),
            store.backend.describe(tenant, known.store_secret),
            known.signing,
            found,
            frozenset(ready),
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
        breaker: _G,
        action: Callable[[Any], Awaitable[object]],
        fingerprint: str,
        *,
        fresh: bool,
    ) -> tuple[Problem | None, bool]:
        last = self._verified.get(key)
        if last is None and not fresh:
            # After a restart: Secrets are written only after provisioning, so trust them, and spread the verifications.
            due = self.clock() + random.uniform(0, VERIFY_SECONDS)  # noqa: S311 - spreads load
            last = self._verified[key] = _Verified(fingerprint, due)
        if not fresh and last and last.fingerprint == fingerprint and self.clock() < last.due:
            return breaker.problem or last.problem, True
        problem, due = None, VERIFY_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
        try:
            await breaker.call(action)
        except (BackendDown, BackendRefused) as error:
            problem, due = error, breaker.retry_in or RETRY_REFUSED_SECONDS
        self._verified[key] = _Verified(fingerprint, self.clock() + due, problem)
        return problem, not (fresh and problem)

    def _due_in(self, tenant: str, *breakers: CircuitBreaker[Any]) -> float:
        """Seconds until the next pass: when the verification is due, or some time into an outage.

        The circuit breaker reports a returning backend immediately; an earlier pass would find the same.
        """
        looks = [LOOK_DURING_OUTAGE_SECONDS for breaker in breakers if breaker.problem]
        dues = [self._verified[tenant, part].due - self.clock() for part in PARTS]
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
