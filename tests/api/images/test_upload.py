"""Uploading: what is accepted, what is refused, and that a refusal leaves nothing."""

import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import hostile, sample_images
from support.api import FORM_HEAD, Person, TenantDatabase, problem, register

MIB = 1024 * 1024


def objects(store_root: Path, workspace: str) -> list[str]:
    """Keys below a workspace."""
    base = store_root / "w" / workspace
    return sorted(path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file())


def workspace_of(tenant: TenantDatabase, person: Person) -> str:
    return str(tenant.query("SELECT workspace_id FROM memberships WHERE user_id = %s", person.id)[0][0])


@pytest.mark.requirement("000-R12", "000-W4", "000-W5", "000-W7")
@pytest.mark.parametrize("path", ["/upload", "/api/v1/images"])
async def test_an_upload_is_answered_in_the_documented_shape(ada: Person, path: str) -> None:
    """The response has exactly the documented fields, with URLs built from the settings."""
    body = sample_images.photo(640, 480)
    response = await ada.client.post(path, headers=ada.key, files={"file": ("cat.jpg", body, "image/jpeg")})
    assert (response.status_code, response.headers["cache-control"]) == (201, "private, no-store"), response.text
    public_id = response.json()["image"]["id"]
    assert len(public_id) == 12
    assert public_id.isalnum()
    assert response.json() == {
        "success": True,
        "image": {
            "id": public_id,
            "filename": f"{public_id}.jpg",
            "url": f"http://cdn.test/{public_id}.jpg",
            "thumbnail": f"http://cdn.test/{public_id}_thumb.jpg",
            "view_url": f"http://view.test/i/{public_id}",
            "metadata": {"width": 640, "height": 480, "size": len(body), "format": "jpeg"},
        },
    }


@pytest.mark.requirement("000-D3", "000-F2")
async def test_an_upload_is_stored_and_counted(ada: Person, tenant: TenantDatabase, store_root: Path) -> None:
    """After the response the original and every size are in the store under our own ids, and the row and both counters
    agree.
    """
    body = sample_images.png()
    response = await ada.upload(body, name="../../etc/pass\u202ewd.png")
    (row,) = tenant.query(
        "SELECT id::text, workspace_id::text, original_name, mime_type, file_size, width, height, sha256, is_public,"
        " views FROM images WHERE public_id = %s",
        response.json()["image"]["id"],
    )
    image, workspace, *facts = row
    digest = hashlib.sha256(body).hexdigest()
    assert facts == ["passwd.png", "image/png", len(body), 320, 240, digest, True, 0]
    stored = objects(store_root, workspace)
    assert f"{image}/original/{digest}" in stored
    assert sum("variants/" in key for key in stored) == 4
    quota = await ada.quota()
    assert (quota["uploads"]["used"], quota["storage"]["used_bytes"]) == (1, len(body))


async def test_a_token_may_upload_too(ada: Person) -> None:
    """A signed-in user uploads without a key."""
    files = {"file": ("a.webp", sample_images.webp(), "image/webp")}
    assert (await ada.client.post("/upload", headers=ada.token, files=files)).status_code == 201


@pytest.mark.requirement("000-P6", "001-33")
@pytest.mark.parametrize(
    ("make", "kind", "frames"),
    [
        (lambda: sample_images.photo(100, 80), "jpeg", 1),
        (sample_images.png, "png", 1),
        (sample_images.webp, "webp", 1),
        (lambda: sample_images.gif(5), "gif", 5),
    ],
)
async def test_the_content_decides(
    ada: Person, tenant: TenantDatabase, make: Callable[[], bytes], kind: str, frames: int
) -> None:
    """The format is detected by content; the name and the declared type do not matter."""
    files = {"file": ("lies.exe", make(), "text/html")}
    response = await ada.client.post("/upload", headers=ada.key, files=files)
    assert response.json()["image"]["metadata"]["format"] == kind
    shown = tenant.query("SELECT frames FROM images WHERE public_id = %s", response.json()["image"]["id"])
    assert shown == [(frames,)]


REFUSED: list[tuple[str, Callable[[], bytes], int, str]] = [
    ("empty", lambda: b"", 422, "empty_file"),
    ("not an image", lambda: b"hello, this is text\n" * 50, 415, "unsupported_format"),
    ("svg", hostile.svg_external, 415, "unsupported_format"),
    ("truncated", lambda: hostile.truncate(sample_images.photo(), 60), 422, "corrupt_image"),
    ("bomb", hostile.bomb_png, 422, "too_many_pixels"),
    ("frames", hostile.gif_frames, 422, "too_many_frames"),
    ("zip", hostile.polyglot_zip, 422, "polyglot"),
    ("html", hostile.polyglot_jpeg_html, 422, "polyglot"),
]


@pytest.mark.parametrize(("make", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_a_refused_upload_leaves_nothing(
    ada: Person, tenant: TenantDatabase, store_root: Path, make: Callable[[], bytes], status: int, code: str
) -> None:
    """Every kind of bad file gets its own problem, stores no object and no row, and moves no counter."""
    problem(await ada.upload(make()), status, code)
    workspace = workspace_of(tenant, ada)
    assert objects(store_root, workspace) == []
    assert tenant.query("SELECT count(*) FROM images WHERE workspace_id = %s", workspace) == [(0,)]
    quota = await ada.quota()
    assert (quota["uploads"]["used"], quota["storage"]["used_bytes"]) == (0, 0)


@pytest.mark.requirement("000-L6")
async def test_too_large_is_refused_by_the_plan_and_by_the_service(open_api: Any, tenant: TenantDatabase) -> None:
    """The smaller of the plan's and the service's limit holds, and the problem states it."""
    async with open_api(max_upload_bytes=MIB) as api:
        person = await register(api)
        assert (await person.quota())["max_file_bytes"] == MIB
        document = problem(await person.upload(b"x" * (MIB + 1)), 413, "too_large")
        assert document["limit_bytes"] == MIB
    async with open_api() as api:
        assert (await (await register(api)).quota())["max_file_bytes"] == 25 * MIB


async def test_a_declared_length_is_refused_before_the_body(open_api: Any) -> None:
    """A Content-Length beyond the limit is refused without reading a byte."""
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b"x"

    async with open_api(max_upload_bytes=MIB) as api:
        person = await register(api)
        headers = {**person.key, "Content-Length": str(10 * MIB), "Content-Type": "multipart/form-data; boundary=b"}
        response = await api.post("/upload", headers=headers, content=body())
    problem(response, 413, "too_large")
    assert read == 0


async def test_a_length_with_thousands_of_digits_is_no_error_of_the_server(open_api: Any) -> None:
    """A Content-Length of 5,001 digits, which HTTP servers accept with leading zeros, does not fail the request."""
    async with open_api() as api:
        person = await register(api)
        headers = {**person.key, "Content-Length": "0" * 5000 + "5", "Content-Type": "multipart/form-data; boundary=b"}
        response = await api.post("/upload", headers=headers, content=b"hello")
    problem(response, 400, "invalid_multipart")


async def test_an_undeclared_length_is_counted(open_api: Any) -> None:
    """A body without Content-Length is read only up to the limit."""
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(100):
            sent += 1
            yield b"x" * (128 * 1024)

    async with open_api(max_upload_bytes=MIB) as api:
        person = await register(api)
        headers = {**person.key, "Content-Type": "multipart/form-data; boundary=b"}
        problem(await api.post("/upload", headers=headers, content=body()), 413, "too_large")
    assert sent <= 10


BROKEN_FORMS: list[tuple[str, str, bytes, str]] = [
    ("json", "application/json", b"{}", "file"),
    ("no type", "", b"abc", "file"),
    ("no boundary", "multipart/form-data", b"abc", "file"),
    (
        "other field",
        "multipart/form-data; boundary=b",
        FORM_HEAD.replace(b'"file"', b'"image"') + b"x\r\n--b--\r\n",
        "file",
    ),
    ("no fields", "multipart/form-data; boundary=b", b"--b--\r\n", "file"),
    ("unfinished", "multipart/form-data; boundary=b", FORM_HEAD + b"half a pic", "boundary"),
    ("rubbish", "multipart/form-data; boundary=b", b"rubbish", "multipart"),
    ("two files", "multipart/form-data; boundary=b", (FORM_HEAD + b"x\r\n") * 2 + b"--b--\r\n", "one file"),
    (
        "many parts",
        "multipart/form-data; boundary=b",
        FORM_HEAD.replace(b'"file"', b'"x"') + (b"\r\n" + FORM_HEAD.replace(b'"file"', b'"x"')) * 10_000,
        "parts",
    ),
    ("large header", "multipart/form-data; boundary=b", b"--b\r\nX-A: " + b"a" * MIB + b"\r\n\r\n", "multipart"),
    ("many headers", "multipart/form-data; boundary=b", b"--b\r\n" + b"X-A: a\r\n" * 10_000 + b"\r\n", "multipart"),
    ("large field", "multipart/form-data; boundary=b", FORM_HEAD.replace(b'"file"', b'"x"') + b"a" * MIB, "fields"),
    ("epilogue", "multipart/form-data; boundary=b", FORM_HEAD + b"x\r\n--b--\r\nmore", "after its last boundary"),
    ("second body", "multipart/form-data; boundary=b", (FORM_HEAD + b"x\r\n--b--\r\n") * 2, "after its last boundary"),
    ("long boundary", "multipart/form-data; boundary=" + "b" * 5000, b"abc", "multipart"),
]


@pytest.mark.parametrize(
    ("kind", "body", "says"), [row[1:] for row in BROKEN_FORMS], ids=[row[0] for row in BROKEN_FORMS]
)
async def test_a_broken_form_is_a_400(api: httpx.AsyncClient, kind: str, body: bytes, says: str) -> None:
    """Every malformed or abusive form is a 400 that says what is wrong, and names `file` where that is missing."""
    person = await register(api)
    headers = {**person.key, **({"Content-Type": kind} if kind else {})}
    document = problem(
        await api.post("/upload", headers=headers, content=body),
        400,
        {"file": "file_missing", "one file": "several_files"}.get(says, "invalid_multipart"),
    )
    assert says in document["detail"]
    if says == "file":
        assert document["errors"][0]["field"] == "file"


async def test_bytes_after_the_last_boundary_are_found_however_they_arrive(api: httpx.AsyncClient) -> None:
    """Also in pieces of one byte; line breaks are allowed there."""

    async def send(body: bytes) -> AsyncIterator[bytes]:
        for byte in body:
            yield bytes([byte])

    person = await register(api)
    headers = {**person.key, "Content-Type": "multipart/form-data; boundary=b"}
    form = FORM_HEAD + b"no image\r\n--b--"
    for end, code in (
        (b"", "imaging_unavailable"),
        (b"\r\n\r\n", "imaging_unavailable"),
        (b"\r\nx", "invalid_multipart"),
    ):
        response = await api.post("/upload", headers=headers, content=send(form + end))
        assert response.json()["code"] == code, end


async def test_small_fields_next_to_the_file_are_ignored(ada: Person) -> None:
    """Clients that send other small fields too can upload."""
    response = await ada.client.post(
        "/upload", headers=ada.key, data={"title": "a cat"}, files={"file": ("a.jpg", sample_images.photo(64, 64))}
    )
    assert response.status_code == 201, response.text
