"""Uploads whose bytes the store does not keep whole."""

from pathlib import Path

import httpx
import pytest

from imghost_core.objects.filesystem import FilesystemStore
from support import sample_images
from support.api import problem, register


async def test_an_original_that_was_stored_in_part_is_noticed_before_imaging_reads_it(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, store_root: Path
) -> None:
    """If the store has fewer bytes than were sent, the upload is a 503 that asks to send the image again, although
    imaging is out of reach; nothing stays stored or counted.
    """
    put = FilesystemStore.put_file

    async def put_in_part(store: FilesystemStore, key: str, source: Path, *, content_type: str) -> None:
        source.write_bytes(source.read_bytes()[:-1])
        await put(store, key, source, content_type=content_type)

    monkeypatch.setattr(FilesystemStore, "put_file", put_in_part)
    person = await register(api)
    before = {path for path in store_root.rglob("*") if path.is_file()}
    document = problem(await person.upload(sample_images.photo(64, 48)), 503, "original_differs")
    assert "Send the image again" in document["detail"]
    assert {path for path in store_root.rglob("*") if path.is_file()} <= before
    assert (await person.quota())["uploads"]["used"] == 0
