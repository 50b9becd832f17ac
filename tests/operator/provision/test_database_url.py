"""URLs of PostgreSQL servers, as administrators write them and as tenants get them."""

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url

from imghost_operator.errors import InvalidSettings
from imghost_operator.provision.database_url import parse

PASSWORD = "p@ss/w:rd%20#?&="


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://a:b@db.example.com/postgres", (("db.example.com", 5432),)),
        ("postgres://a:b@10.0.0.5:6432/postgres", (("10.0.0.5", 6432),)),
        ("postgresql://a:b@[fd00:10::5]:5433/postgres", (("fd00:10::5", 5433),)),
        ("postgresql://a:b@[fd00:10::5]/postgres", (("fd00:10::5", 5432),)),
        ("postgresql://a:b@one:1,two:2/postgres", (("one", 1), ("two", 2))),
        ("postgresql://a:b@one,two/postgres?port=7", (("one", 7), ("two", 7))),
        ("postgresql://a:p%40ss%2Fw@db/postgres", (("db", 5432),)),
        ("postgresql:///postgres?host=/run/postgresql&user=a", (("/run/postgresql", 5432),)),
    ],
)
def test_every_form_of_a_url_reaches_the_same_server_for_tenants(url: str, hosts: tuple[tuple[str, int], ...]) -> None:
    """The tenant's URL means the same hosts to libpq, and any password, role and database survive both parsers."""
    server = parse(url, instance="default")
    assert server.hosts == hosts
    made = server.tenant_url("iht_demo_api", PASSWORD, "iht_demo")
    found = conninfo_to_dict(made)
    assert (found["user"], found["password"], found["dbname"]) == ("iht_demo_api", PASSWORD, "iht_demo")
    assert str(found["host"]).split(",") == [host for host, _ in hosts]
    assert str(found["port"]).split(",") == [str(port) for _, port in hosts]
    parsed = make_url(made)
    assert (parsed.username, parsed.password, parsed.database) == ("iht_demo_api", PASSWORD, "iht_demo")
    assert (parsed.host or parsed.query["host"]) == ",".join(host for host, _ in hosts)


def test_how_to_trust_the_server_is_passed_on_and_how_to_sign_in_is_not() -> None:
    """Tenants connect with the same TLS mode, and never get a certificate or file of the operator's."""
    url = "postgresql://a:b@db/x?sslmode=verify-full&channel_binding=require&sslcert=/c&sslkey=/k&passfile=/p&options=-c%20a"
    made = conninfo_to_dict(parse(url, instance="default").tenant_url("r", "p", "d"))
    assert made.keys() == {"user", "password", "dbname", "host", "port", "sslmode", "channel_binding"}


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("db.example.com", ("db.example.com", 5432)),
        ("db.example.com:6432", ("db.example.com", 6432)),
        ("fd00::5", ("fd00::5", 5432)),
        ("[fd00::5]", ("fd00::5", 5432)),
        ("[fd00::5]:6432", ("fd00::5", 6432)),
    ],
)
def test_the_public_host_replaces_the_operators(text: str, host: tuple[str, int]) -> None:
    """Pods get the public host; the operator's own connection stays with the URL."""
    server = parse("postgresql://a:b@internal:1/x", instance="default", public_host=text)
    assert server.hosts == (host,)
    assert server.admin["host"] == "internal"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://op:S3cr%tPass/w#rd@pg:5432/postgres",
        "postgresql://op:S3cret Pass%zz@pg/postgres",
        "postgresql://op:S3cret@canary@pg/postgres",
        "postgresql://op:S3cret@pg:notaport/postgres",
        "postgresql://op:S3cret@pg:99999/postgres",
        "postgresql://op:S3cret@one,two,three:1,2/postgres",
        "postgresql://op:S3cret@[fd00::5:5432/postgres",
        "mysql://op:S3cret@pg/postgres",
        "host=pg password=S3cret",
        "",
    ],
)
def test_a_url_that_cannot_be_used_is_named_and_not_quoted(url: str) -> None:
    """The message has the instance and the form that is expected, and no part of the URL."""
    with pytest.raises(InvalidSettings, match="admin URL of database instance 'main'") as refused:
        parse(url, instance="main")
    shown = f"{refused.value} {refused.value.__cause__!r} {refused.value.__suppress_context__}"
    assert not any(part in shown for part in ("S3c", "canary", "notaport", "99999"))
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize("text", ["", "a b", "db:0", "db:99999", "[fd00::5", "fd00::5]:1", "db/x", "u@db"])
def test_a_public_host_that_cannot_be_used_is_refused(text: str) -> None:
    """Except for the empty text, which stands for none."""
    if not text:
        assert parse("postgresql://a:b@db/x", instance="i", public_host=text).hosts == (("db", 5432),)
        return
    with pytest.raises(InvalidSettings, match="public host of database instance 'i'"):
        parse("postgresql://a:b@db/x", instance="i", public_host=text)


def test_libpq_itself_takes_the_url_of_several_hosts(unused_tcp_port: int) -> None:
    """It tries one after the other."""
    server = parse(f"postgresql://a:b@127.0.0.1:{unused_tcp_port},[::1]:{unused_tcp_port}/x", instance="default")
    with pytest.raises(psycopg.OperationalError, match=r"(?s)127\.0\.0\.1.*::1"):
        psycopg.connect(server.tenant_url("r", "p", "d"), connect_timeout=2)
