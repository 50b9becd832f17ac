"""After a fault: all is there that was acknowledged, and nothing is counted twice."""

import hashlib
from collections import defaultdict

import httpx

from support.e2e.client import Client
from support.e2e.ledger import Entry, Ledger


async def assert_nothing_is_lost(client: Client, ledger: Ledger) -> None:
    """Every acknowledged upload is served byte for byte, with its thumbnail, and counted once, or AssertionError."""
    entries = list(ledger)
    assert entries, "nothing was acknowledged, so nothing was proved"
    assert len({entry.id for entry in entries}) == len(entries)
    lost = [found for entry in entries if (found := await _what_is_wrong(client, entry))]
    assert lost == []
    sizes: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        sizes[entry.key].append(entry.size)
    for key, acknowledged in sizes.items():
        response = await client.send("GET", f"{client.urls['upload']}/upload/quota", headers={"X-API-Key": key})
        quota = response.json()["quota"]
        assert (quota["uploads"]["used"], quota["storage"]["used_bytes"]) == (len(acknowledged), sum(acknowledged))


async def _what_is_wrong(client: Client, entry: Entry) -> str:
    original, thumbnail = await client.view(entry.url), await client.view(entry.thumbnail)
    if original.status_code != httpx.codes.OK or thumbnail.status_code != httpx.codes.OK:
        return f"{entry.id}: {original.status_code} and {thumbnail.status_code}"
    if hashlib.sha256(original.content).hexdigest() != entry.sha256:
        return f"{entry.id}: other bytes than were uploaded"
    return ""
