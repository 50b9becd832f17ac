import pytest
from pydantic import ValidationError

from imghost_core.settings import DatabaseSettings, ServerSettings, StoreSettings


def test_an_incomplete_store_is_rejected_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that lacks a setting is refused with the names of what is missing."""
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:9000")
    with pytest.raises(ValidationError, match="S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY"):
        StoreSettings()
    monkeypatch.setenv("STORE_KIND", "filesystem")
    with pytest.raises(ValidationError, match="STORE_ROOT"):
        StoreSettings()


@pytest.mark.requirement("000-E4")
def test_b2_variables_are_aliases_of_the_s3_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The B2_* variables of the first documents are accepted as aliases."""
    monkeypatch.setenv("S3_ENDPOINT", "https://s3.example.test")
    monkeypatch.setenv("B2_APPLICATION_KEY_ID", "id")
    monkeypatch.setenv("B2_APPLICATION_KEY", "secret")
    monkeypatch.setenv("B2_BUCKET_NAME", "images")
    settings = StoreSettings()
    assert (settings.s3_access_key_id, settings.s3_bucket) == ("id", "images")
    assert settings.s3_secret_access_key is not None
    assert settings.s3_secret_access_key.get_secret_value() == "secret"


@pytest.mark.requirement("000-E1")
def test_settings_do_not_print_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A settings object in a log line shows no password."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://api:canary-7f3a@127.0.0.1/imghost")
    settings = DatabaseSettings()
    assert "canary-7f3a" not in repr(settings)
    assert "canary-7f3a" in settings.database_url.get_secret_value()


@pytest.mark.parametrize(("name", "value"), [("PORT", "0"), ("LOG_FORMAT", "xml")])
def test_invalid_values_are_rejected(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A value that means nothing stops the start and is named."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        ServerSettings()


def test_trusted_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are a list separated by commas; by default no proxy is trusted."""
    assert ServerSettings().trusted_proxies == ()
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1,2001:db8::/32")
    assert ServerSettings().trusted_proxies == ("10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32")


@pytest.mark.parametrize("value", ["*", "0.0.0.0/0", "::/0", "proxy.example.org", "10.0.0.1/8"])
def test_every_address_is_no_trusted_proxy(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A name, a mistyped network and a network of all addresses are rejected at start."""
    monkeypatch.setenv("TRUSTED_PROXIES", value)
    with pytest.raises(ValidationError, match="trusted_proxies"):
        ServerSettings()
