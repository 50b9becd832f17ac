"""Building blocks of the spec: bounded types, and CEL rules that say what to do."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from imghost_operator import quantity

# What the operator itself sets in containers; a test keeps this equal to what `build` makes.
RESERVED_ENV = (
    "ALLOWED_ORIGINS",
    "API_KEY_PEPPER",
    "API_ROLE",
    "AUTH_SERVER_URL",
    "CDN_BASE_URL",
    "CONCURRENCY",
    "DATABASE_URL",
    "FORMATS",
    "FRONTEND_URL",
    "HOST",
    "IMAGING_ROLE",
    "IMAGING_URL",
    "INTERNAL_TOKEN",
    "JWT_PRIVATE_KEY",
    "KEEP_COPYRIGHT",
    "MALLOC_ARENA_MAX",
    "MAX_FRAMES",
    "MAX_INPUT_BYTES",
    "MAX_PIXELS",
    "MAX_UPLOAD_BYTES",
    "MEMORY_LIMIT_BYTES",
    "METADATA_POLICY",
    "OPS_PORT",
    "PORT",
    "S3_ACCESS_KEY_ID",
    "S3_BUCKET",
    "S3_CA_FILE",
    "S3_ENDPOINT",
    "S3_PREFIX",
    "S3_REGION",
    "S3_SECRET_ACCESS_KEY",
    "SHUTDOWN_GRACE_SECONDS",
    "SPOOL_BYTES",
    "STORE_KIND",
    "STORE_ROOT",
    "TENANT",
    "UPLOAD_CONCURRENCY",
    "VIEW_SERVER_URL",
    "VIPS_BLOCK_UNTRUSTED",
    "VIPS_CONCURRENCY",
)
# Libraries and the loader read these wherever they are set: which code runs, which servers are reached, and how.
RESERVED_PREFIXES = (
    "AWS_",
    "B2_",
    "GCONV_",
    "GIO_",
    "GLIBC_",
    "KRB5",
    "LD_",
    "LIBHEIF_",
    "MAGICK_",
    "OPENSSL_",
    "PG",
    "PYTHON",
    "S3_",
)
OWNED_SECRETS = (
    "api-signing",
    "database-api",
    "database-imaging",
    "database-owner",
    "internal",
    "registries",
    "storage",
    "storage-imaging",
)
"""The Secrets that the operator makes for a tenant; a test keeps this equal to what `build` makes."""
RESERVED_BY_SYSTEM = ("HOME", "PATH", "TMPDIR", "VIPSHOME")
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = f"^{_LABEL}$"
LABEL_VALUE = "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
_URL = r"^https?://([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*$"
_ORIGIN = r"^https?://([a-z0-9]([-a-z0-9.]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$"
_SUBDOMAIN = f"^{_LABEL}([.]{_LABEL})*$"
KEY = f"^({_LABEL}([.]{_LABEL})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$"
_MAX_KEY = 127
_RESERVED_KEY = "^([^/]+[.])?(kubernetes[.]io|k8s[.]io|imghost[.]dev)/"


def is_reserved(name: str) -> bool:
    """Whether a tenant may not set this variable. Settings are read in any case, so the case makes no difference."""
    upper = name.upper()
    return upper in RESERVED_ENV or upper in RESERVED_BY_SYSTEM or upper.startswith(RESERVED_PREFIXES)


def is_owned_secret(name: str) -> bool:
    """Whether the operator makes the tenant's Secret of this name: pods get no more of it than the operator gives."""
    return name in OWNED_SECRETS


def rules(*rules: tuple[str, str], **schema: Any) -> dict[str, Any]:
    """CEL rules, each with the message that says what to do, and other schema keywords."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules], **schema}


def immutable(what: str) -> dict[str, Any]:
    """The rule of an immutable field."""
    return rules(("self == oldSelf", f"is immutable: {what} cannot be moved; create a new tenant instead"))


def _quantity_schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "pattern": pattern,
            "maxLength": 24,
            "minimum": 0,
        }
    )


Cpu = Annotated[
    str,
    BeforeValidator(quantity.canonical),
    _quantity_schema("^([0-9]{1,7}m|[0-9]{1,4}([.][0-9]{1,3})?)$"),
]
Bytes = Annotated[
    str,
    BeforeValidator(quantity.canonical),
    _quantity_schema("^([0-9]{1,15}|[0-9]{1,6}([.][0-9]{1,3})?([kMGT]|[KMGT]i))$"),
]
DnsLabel = Annotated[str, Field(min_length=1, max_length=63, pattern=_DNS_LABEL)]
Subdomain = Annotated[str, Field(min_length=1, max_length=253, pattern=_SUBDOMAIN)]
BaseUrl = Annotated[
    str,
    Field(
        min_length=8,
        max_length=253,
        json_schema_extra=rules(
            (
                f"self.matches(r'{_URL}')",
                "must be a base URL such as https://img.example.com, without a query and without a slash at the end",
            )
        ),
    ),
]
Origin = Annotated[
    str,
    Field(
        min_length=8,
        max_length=253,
        json_schema_extra=rules(
            (
                f"self.matches(r'{_ORIGIN}')",
                "must be an origin such as https://app.example.com, in lower case and without a path",
            )
        ),
    ),
]
Cidr = Annotated[
    str,
    Field(
        min_length=4,
        max_length=43,
        json_schema_extra=rules(
            (
                "isCIDR(self)",
                "must be a block of addresses such as 10.1.0.0/16 or 2001:db8::/32; one address is a /32 or /128",
            ),
            (
                "!self.matches('^(169[.]254[.]|[fF][eE][89abAB][0-9a-fA-F]:)')",
                "must not be link-local: cloud metadata with the credentials of nodes is there",
            ),
        ),
    ),
]
_WELL_FORMED = (
    f"self.all(key, key.size() <= {_MAX_KEY} && key.matches('{KEY}'))",
    f"keys must look like example.com/name: a DNS name if any, then at most 63 characters, {_MAX_KEY} in all",
)
LABELS = rules(_WELL_FORMED)
OWN_KEYS = rules(
    (
        f"self.all(key, !key.matches('{_RESERVED_KEY}'))",
        "keys below kubernetes.io/, k8s.io/ and imghost.dev/ are reserved; use a prefix of your own",
    ),
    _WELL_FORMED,
)


def not_above(amount: str) -> tuple[str, str]:
    """The rule that a request is not above its limit."""
    asked, limit = (f"quantity(string(self.{part}.{amount}))" for part in ("requests", "limits"))
    return (
        f"!has(self.limits.{amount}) || !has(self.requests.{amount}) || !{asked}.isGreaterThan({limit})",
        f"requests.{amount} must not be above limits.{amount}; lower the request or raise the limit",
    )
