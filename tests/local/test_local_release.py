"""Which release the local processes are of."""

from pathlib import Path

from imghost_api.db import migrations
from imghost_local.release import digest_of, installed_release


def test_another_schema_is_another_image(tmp_path: Path) -> None:
    """A migration that is added, changed or renamed changes the digest; what Python leaves between them does not."""
    (tmp_path / "pre").mkdir()
    (tmp_path / "pre" / "0001.py").write_text("a")
    found = {digest_of(tmp_path)}
    (tmp_path / "pre" / "0001.pyc").write_text("compiled")
    assert found == {digest_of(tmp_path)}
    (tmp_path / "pre" / "0002.sql").write_text("b")
    found.add(digest_of(tmp_path))
    (tmp_path / "pre" / "0002.sql").write_text("c")
    found.add(digest_of(tmp_path))
    (tmp_path / "pre" / "0002.sql").rename(tmp_path / "pre" / "0003.sql")
    found.add(digest_of(tmp_path))
    assert len(found) == 4


def test_the_api_image_names_the_installed_schema() -> None:
    """The tag of the api's image ends with the digest of its migrations, so that `up` on older data migrates it."""
    assert installed_release().api_image.endswith(f"-{digest_of(Path(migrations.__path__[0]))}")
