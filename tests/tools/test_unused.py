"""The search for code that nothing uses."""

from pathlib import Path

import pytest

from imghost_dev import unused


def test_unused_code_is_found_but_not_declarations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function nothing calls fails the check; fields that a framework reads by name do not."""
    (tmp_path / "pyproject.toml").write_text('[tool.vulture]\npaths = ["code"]\n')
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "service.py").write_text("def forgotten():\n    return 1\n")
    (tmp_path / "code" / "schemas.py").write_text("class Image:\n    width: int\n\n\nprint(Image)\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        unused.main([])
    first, *rest = str(ended.value.code).splitlines()
    assert "unused function 'forgotten'" in first
    assert [line.startswith("error: 1 unused") for line in rest] == [True]
