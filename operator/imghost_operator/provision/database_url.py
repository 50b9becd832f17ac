"""URLs of PostgreSQL servers: the one place that parses the operator's and makes the tenants'. Pure.

Grammar: libpq, "Connection URIs". IPv6 literals, several hosts, Unix sockets and options are understood.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from imghost_operator.errors import InvalidSettings
from imghost_operator.provision import authority
from imghost_operator.tenant_contract import CA_FOLDER, DATABASE_CA

_SYSTEM = "system"  # libpq's word for the authorities that the operating system trusts
_CARRIED = ("sslmode", "sslnegotiation", "channel_binding", "target_session_attrs", "load_balance_hosts")
"""Options of the operator's URL that hold for the tenants' too: how to find and trust the server, not who signs in."""
_DEFAULT_PORT = 5432
_PUBLIC_HOST = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^][:/@?#\s]+)(?::([0-9]{1,5}))?|([0-9a-fA-F:.]*:[0-9a-fA-F:.]*)")


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """A server: settings of the operator's own connection, and where and how tenants reach it.

    `hosts` are pairs of host (a name, an address without brackets, or the folder of a Unix socket) and port.
    """

    admin: dict[str, Any] = field(repr=False)
    hosts: tuple[tuple[str, int], ...]
    options: dict[str, str]
    ca: str = ""
    """Certificates (PEM) of its authority, which tenants' pods find where the options say."""

    def tenant_url(self, role: str, password: str, database: str) -> str:
        """The URL of a tenant's role."""
        user = f"{quote(role, safe='')}:{quote(password, safe='')}"
        if len(self.hosts) == 1 and not self.hosts[0][0].startswith("/"):
            host, port = self.hosts[0]
            authority, options = f"{f'[{host}]' if ':' in host else host}:{port}", self.options
        else:  # several hosts, or a socket: in the query, where every client takes them
            names, ports = (",".join(str(part) for part in parts) for parts in zip(*self.hosts, strict=True))
            authority, options = "", {"host": names, "port": ports, **self.options}
        return f"postgresql://{user}@{authority}/{database}" + (f"?{urlencode(options)}" if options else "")


def parse(admin_url: str, *, instance: str, public_host: str | None = None, ca_file: Path | None = None) -> ServerUrl:
    """The server of the operator's URL; `public_host` is `host[:port]` as pods reach it, where that differs.

    `ca_file`, else `sslrootcert` in the URL, has its authority; the server is verified then, unless the URL says else.
    Raises `InvalidSettings`, which never quotes the URL.
    """
    if not re.match("postgres(ql)?://", admin_url):
        raise _invalid(instance, "it does not begin with postgresql://")
    try:
        settings = conninfo_to_dict(admin_url)
    except psycopg.Error:
        raise _invalid(instance, "it is no URL; percent-encode special characters of the password") from None
    names = str(settings.get("host") or "localhost").split(",")
    ports = str(settings.get("port") or _DEFAULT_PORT).split(",")
    if len(ports) not in {1, len(names)} or not all(map(_is_port, ports)):
        raise _invalid(instance, "its ports are no numbers from 1 to 65535, one for all hosts or one for each")
    if not all(re.fullmatch(r"[^\s@?#%]+", name) for name in names):
        raise _invalid(instance, "a host in it is no host; percent-encode special characters of the password")
    numbers = [int(port) for port in ports] * (len(names) if len(ports) == 1 else 1)
    hosts = tuple(zip(names, numbers, strict=True))
    ca = _trust(settings, instance, ca_file)
    options = {key: str(settings[key]) for key in _CARRIED if key in settings}
    if trusted := f"{CA_FOLDER}/{DATABASE_CA}" if ca else settings.get("sslrootcert"):
        options["sslrootcert"] = str(trusted)
    return ServerUrl(settings, (_public(public_host, instance),) if public_host else hosts, options, ca)


def _trust(settings: dict[str, Any], instance: str, ca_file: Path | None) -> str:
    """Let the settings verify the server, and return the certificates that pods need for it."""
    file = ca_file or settings.get("sslrootcert")
    if file is None:
        return ""
    settings |= {"sslrootcert": str(file), "sslmode": settings.get("sslmode", "verify-full")}
    return "" if file == _SYSTEM else authority.read(Path(file), of_what=f"database instance '{instance}'")


def _public(text: str, instance: str) -> tuple[str, int]:
    found = _PUBLIC_HOST.fullmatch(text)
    if found is None or (found[2] and not _is_port(found[2])):
        raise InvalidSettings(
            f"The public host of database instance '{instance}' is not host or host:port; "
            "an IPv6 address with a port needs brackets, as in [fd00::5]:5432."
        )
    return (found[1] or found[3]).strip("[]"), int(found[2] or _DEFAULT_PORT)


def _is_port(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) < 65_536  # noqa: PLR2004


def _invalid(instance: str, why: str) -> InvalidSettings:
    return InvalidSettings(
        f"The admin URL of database instance '{instance}' cannot be used: {why}. "
        "It has the form postgresql://role:password@host:5432/postgres."
    )
