"""What fails in the renderer is about the image, or a fault of ours; it never looks like an outage that ends."""

import pytest
import pyvips

from imghost_imaging.render import renditions
from support import sample_images
from support.imaging import Imaging


def fail_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(renditions, "load", fail)
    monkeypatch.setattr(renditions, "render_all", fail)


@pytest.mark.parametrize(
    "error", [pyvips.Error("bad", "chunk"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")]
)
async def test_an_error_of_the_decoder_is_about_the_image(
    imaging: Imaging, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Also one whose message contains bytes of the file, which pyvips cannot read: 422 corrupt_image."""
    fail_with(monkeypatch, error)
    response = await imaging.ingest(await imaging.put(sample_images.photo()))
    assert (response.status_code, response.json()["code"]) == (422, "corrupt_image")


@pytest.mark.parametrize(
    "error", [ValueError("as planned"), KeyError("x"), MemoryError(), RecursionError(), OSError(5, "x")]
)
async def test_any_other_exception_is_an_internal_error(
    imaging: Imaging, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """500 without Retry-After, nothing stored, counted as such; and the next image is rendered."""
    with monkeypatch.context() as patched:
        fail_with(patched, error)
        request = await imaging.put(sample_images.photo())
        response = await imaging.ingest(request)
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "retry-after" not in response.headers
    assert await imaging.stored_keys(request["image"]) == [f"original/{request['sha256']}"]
    assert await imaging.metric('imghost_imaging_ingest_seconds_count{outcome="internal_error"}') == 1
    assert (await imaging.ingest(request)).status_code == 200
