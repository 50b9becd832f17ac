"""A tenant's part of an object store: the prefix `<tenant>/` and, on an S3 server, keys that reach only it."""

import asyncio
import hashlib
import hmac
import json
import re
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.credentials.providers import StaticProvider
from minio.deleteobjects import DeleteObject
from minio.error import MinioAdminException, MinioException, S3Error
from minio.minioadmin import MinioAdmin
from urllib3.exceptions import HTTPError

from imghost_operator.build_inputs import AccessKey, Store, StoreUser
from imghost_operator.errors import BackendDown, BackendRefused
from imghost_operator.provision import authority
from imghost_operator.provision.backends import StoreSecrets
from imghost_operator.tenant_contract import CA_FOLDER, STORE_CA

_T = TypeVar("_T")
_TIMEOUT_SECONDS = 20.0  # seconds for one step; emptying a prefix gets more, as it is as long as the prefix is full
_EMPTY_TIMEOUT_SECONDS = 600.0
_CHECK_SECONDS = 8.0
_READ_WRITE = ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_ACTIONS: Mapping[StoreUser, tuple[str, ...]] = {"api": (*_READ_WRITE, "s3:DeleteObject"), "imaging": _READ_WRITE}
_ABSENT = {"XMinioAdminNoSuchUser", "XMinioAdminNoSuchPolicy", "NoSuchBucket"}


class MinioBackend:
    """A `StoreBackend` on one bucket of a MinIO server, whose admin API makes the keys.

    `endpoint` is as the operator reaches the server, `public_endpoint` as the pods do, where that differs; both with
    scheme. `access_key` and `secret_key` are of a MinIO admin. `name` is what a tenant's `spec.storage.backendRef`
    says; `networks` are the CIDRs that pods find the server in, for their NetworkPolicy; `ca_file` has the certificates
    of the server's authority.
    """

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        access_key: str,
        secret_key: str,
        *,
        region: str = "us-east-1",
        public_endpoint: str | None = None,
        name: str = "default",
        networks: tuple[str, ...] = (),
        ca_file: Path | None = None,
    ) -> None:
        where = urlsplit(endpoint)
        self._ca = authority.read(ca_file, of_what=f"store '{name}'") if ca_file else ""
        self._networks = networks
        self._endpoint, self._region, self._name, self._bucket = public_endpoint or endpoint, region, name, bucket
        self._salt = secret_key.encode()
        tls: dict[str, Any] = {"ca_cert_data": self._ca} if ca_file else {}  # what was read: the file may be changed
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=3, read=10), maxsize=8, retries=False, **tls)
        self._host, self._secure = where.netloc, where.scheme == "https"
        common: dict[str, Any] = {"secure": self._secure, "region": region, "http_client": self._pool}
        self._objects = Minio(self._host, access_key, secret_key, **common)
        self._admin = MinioAdmin(endpoint=self._host, credentials=StaticProvider(access_key, secret_key), **common)
        self._threads = ThreadPoolExecutor(8, thread_name_prefix=f"store-{name}")

    def describe(self, tenant: str, secrets: StoreSecrets) -> Store:
        prefix = f"{tenant}/"
        return Store(
            backend=self._name,
            bucket=self._bucket,
            prefix=prefix,
            config={
                "STORE_KIND": "s3",
                "S3_ENDPOINT": self._endpoint,
                "S3_REGION": self._region,
                "S3_BUCKET": self._bucket,
                "S3_PREFIX": prefix,
                **({"S3_CA_FILE": f"{CA_FOLDER}/{STORE_CA}"} if self._ca else {}),
            },
            keys={user: AccessKey(self._key_id(tenant, user), secret) for user, secret in secrets.items()},
            networks=self._networks,
            ca=self._ca,
        )

    async def ensure(self, tenant: str, secrets: StoreSecrets) -> Store:
        store = self.describe(tenant, secrets)

        def make() -> None:
            if not self._objects.bucket_exists(self._bucket):
                self._objects.make_bucket(self._bucket, self._region)
            for user, key in store.keys.items():
                self._admin.policy_add(key.id, policy=_policy(self._bucket, store.prefix, _ACTIONS[user]))
                self._admin.user_add(key.id, key.secret)
                self._admin.policy_set(key.id, user=key.id)
                self._use(key, store.prefix)

        await self._run(make)
        return store

    def _use(self, key: AccessKey, prefix: str) -> None:
        """Read with a key as its pods will; raises `BackendRefused` where that is refused."""
        mine = Minio(self._host, key.id, key.secret, secure=self._secure, region=self._region, http_client=self._pool)
        try:
            mine.stat_object(self._bucket, f"{prefix}.check")
        except S3Error as error:
            if error.code != "NoSuchKey":
                raise BackendRefused(
                    f"Store '{self._name}' does not let the new key {key.id} read its prefix ({error.code}). "
                    "Check the policies of the store; this is tried again."
                ) from None

    async def inventory(self) -> dict[str, str]:
        """The access keys of all tenants."""
        return dict.fromkeys(json.loads(await self._run(self._admin.user_list)), "")

    async def revoke(self, tenant: str) -> None:
        """Delete every key of the tenant, also those from before the admin's own secret was changed."""
        ours = re.compile(rf"iht-{re.escape(tenant)}-[0-9a-f]{{16}}(-imaging)?")

        def remove() -> None:
            for name in filter(ours.fullmatch, json.loads(self._admin.user_list())):
                self._absent_is_fine(self._admin.user_remove, name)
            for name in filter(ours.fullmatch, json.loads(self._admin.policy_list())):
                self._absent_is_fine(self._admin.policy_remove, name)

        await self._run(remove)

    async def empty(self, tenant: str) -> None:
        def remove() -> None:
            if not self._objects.bucket_exists(self._bucket):
                return
            found = self._objects.list_objects(self._bucket, f"{tenant}/", recursive=True, include_version=True)
            doomed = (DeleteObject(item.object_name, item.version_id) for item in found if item.object_name)
            for problem in self._objects.remove_objects(self._bucket, doomed):
                raise BackendRefused(f"Store '{self._name}' did not delete an object ({problem.code}).")

        await self._run(remove, within=_EMPTY_TIMEOUT_SECONDS)

    async def check(self) -> None:
        await self._run(self._objects.bucket_exists, self._bucket, within=_CHECK_SECONDS)

    def _key_id(self, tenant: str, user: StoreUser) -> str:
        """Stable and unguessable, also from another of the tenant: on some servers the id alone helps an attacker."""
        of_whom, suffix = (tenant, "") if user == "api" else (f"{tenant}/{user}", f"-{user}")
        return f"iht-{tenant}-{hmac.new(self._salt, of_whom.encode(), hashlib.sha256).hexdigest()[:16]}{suffix}"

    @staticmethod
    def _absent_is_fine(call: Callable[[str], object], name: str) -> None:
        try:
            call(name)
        except MinioAdminException as error:
            if _code(error) not in _ABSENT:
                raise

    async def _run(self, call: Callable[..., _T], *args: object, within: float = _TIMEOUT_SECONDS) -> _T:
        try:
            async with asyncio.timeout(within):
                return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)
        except (S3Error, MinioAdminException) as error:
            raise BackendRefused(
                f"Store '{self._name}' refused a step ({_code(error)}). "
                "Check that the operator's key is an admin key; this is tried again."
            ) from error
        except (MinioException, HTTPError, OSError, TimeoutError) as error:
            raise BackendDown(
                f"Store '{self._name}' does not respond. Check the server and the endpoint in the operator's settings; "
                "this is tried again."
            ) from error


class FilesystemBackend:
    """A `StoreBackend` in a folder of this machine. There are no keys: what protects a tenant is its folder's mode.

    So imaging may delete too.
    """

    def __init__(self, root: Path, *, name: str = "default") -> None:
        self._root, self._name = root, name

    def describe(self, tenant: str, secrets: StoreSecrets) -> Store:  # noqa: ARG002 - a folder has no key
        config = {"STORE_KIND": "filesystem", "STORE_ROOT": str(self._folder(tenant))}
        return Store(backend=self._name, bucket="", prefix=f"{tenant}/", config=config)

    async def ensure(self, tenant: str, secrets: StoreSecrets) -> Store:
        def make() -> None:
            self._folder(tenant).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder(tenant).chmod(0o700)

        await self._run(make)
        return self.describe(tenant, secrets)

    async def inventory(self) -> dict[str, str]:
        """The folders of all tenants."""
        return dict.fromkeys(await self._run(lambda: [path.name for path in self._root.iterdir()]), "")

    async def revoke(self, tenant: str) -> None:
        """Nothing to do: the processes that could read the folder have ended before this is called."""

    async def empty(self, tenant: str) -> None:
        def remove() -> None:
            if self._folder(tenant).exists():
                shutil.rmtree(self._folder(tenant))

        await self._run(remove)

    async def check(self) -> None:
        await self._run(lambda: self._root.mkdir(mode=0o700, parents=True, exist_ok=True))

    def _folder(self, tenant: str) -> Path:
        folder = self._root / tenant
        if folder.parent != self._root or tenant in {"", ".", ".."}:
            raise BackendRefused(f"{tenant!r} cannot name a folder of store '{self._name}'.")
        return folder

    async def _run(self, call: Callable[[], _T]) -> _T:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                return await asyncio.to_thread(call)
        except (OSError, TimeoutError) as error:
            raise BackendDown(
                f"The folder of store '{self._name}' cannot be written. Check that it exists, its mode and free space."
            ) from error


def _policy(bucket: str, prefix: str, actions: tuple[str, ...]) -> dict[str, Any]:
    """Rights below one prefix (AWS policy language, version 2012-10-17), and listing of nothing else."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": list(actions),
                "Resource": [f"arn:aws:s3:::{bucket}/{prefix}*"],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{bucket}"],
                "Condition": {"StringLike": {"s3:prefix": [f"{prefix}*"]}},
            },
        ],
    }


def _code(error: S3Error | MinioAdminException) -> str:
    """The server's error code; the rest of its response may quote the request."""
    if isinstance(error, S3Error):
        return error.code or "unknown"
    try:
        return str(json.loads(error._body)["Code"])  # noqa: SLF001 - the client has no public way to it
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"HTTP {error._code}"  # noqa: SLF001
