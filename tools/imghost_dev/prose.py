"""Reject the words that docs/glossary.md replaces, in comments, strings, test names and documents.

`python -m imghost_dev prose` checks every committed file; `prose PATH...` checks only these paths.
"""

import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from imghost_dev.addresses import committed_files

SKIPPED = (
    "tools/imghost_dev/prose.py",
    "docs/glossary.md",
    "docs/renamed.md",
    "tests/tools/test_prose.py",
    "LICENSE",
    "requirements/",
)
"""Files that name the words on purpose, or that others wrote."""

SUGGESTIONS = {
    r"tell|tells|telling|told": "say what is passed, reported, printed or documented",
    r"gone": "deleted, closed, missing, stopped",
    r"nobody|no one": "no process, no client, no user; or name who",
    r"at once": "immediately, in one call, concurrently",
    r"somebody|someone": "another client, another user, the owner",
    r"judge|judges|judged|judging|judgement": "check, evaluate, validate, inspect",
    r"beside": "next to, in addition to, alongside",
    r"anew": "again, recreate",
    r"for ever": "until cancelled, without a limit",
    r"so many": "the number itself, N",
    r"whoever": "the client that, the owner of",
    r"put right|puts right|putting right": "correct, repair, restore",
    r"pictures?": "image",
}
WORDS = {
    re.compile(rf"\b(?:{words})\b".replace(" ", r"\s+"), re.IGNORECASE): hint for words, hint in SUGGESTIONS.items()
}
IDENTIFIERS = {
    re.compile(r"picture", re.IGNORECASE): "image",
    re.compile(r"(?<![a-z])judged?(?![a-z])", re.IGNORECASE): "evaluate or check, or a noun",
    re.compile(r"(?<![a-z])(?:tell|told|gone|said|nobody|anew|whoever)(?![a-z])", re.IGNORECASE): "a noun, or a verb",
    re.compile(r"\Ait\Z"): "a noun",
}
"""Names in code, with what to use instead."""
ALLOWED = re.compile(r"410 Gone|postgres\W+(?:else |or )?\W*nobody|HTTPStatus\.GONE|/bits/images?/gone", re.IGNORECASE)
"""Terms of HTTP and of others that contain such a word."""

SUFFIXES = {".md", ".yaml", ".yml", ".tpl", ".toml", ".txt", ".css", ".html", ".sql", ".sh", ".mako", ".ini"}
NAMES = {"Makefile", "Dockerfile", "NOTES.txt", ".importlinter", ".dockerignore", ".gitignore"}
_TEXT_TOKENS = {tokenize.COMMENT, tokenize.STRING} | {
    getattr(tokenize, name) for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END") if hasattr(tokenize, name)
}
_TEST_NAME = re.compile(r"\b(?:def|class) ([Tt]est\w+)")


class Finding(NamedTuple):
    """One refused word at one place."""

    path: Path
    line: int
    word: str
    hint: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word} — {self.hint}"


def check(path: Path, text: str) -> list[Finding]:
    """Every refused word of one file, in order."""
    found = [*_words(path, _prose(text) if path.suffix == ".py" else text)]
    if path.suffix == ".py":
        found += _identifiers(path, text)
    return sorted(found, key=lambda finding: (finding.line, finding.word))


def _words(path: Path, prose: str) -> Iterator[Finding]:
    allowed = [match.span() for match in ALLOWED.finditer(prose)]
    for pattern, hint in WORDS.items():
        for match in pattern.finditer(prose):
            if not any(start <= match.start() < end for start, end in allowed):
                line = prose.count("\n", 0, match.start()) + 1
                yield Finding(path, line, " ".join(match[0].split()), hint)


def _prose(source: str) -> str:
    """The comments, strings and test names of Python source, each at its place; other code becomes `|`.

    Lines keep their numbers, and a phrase is found across the lines of one comment or string.
    """
    lines = [re.sub(r"\S", "|", line) for line in source.splitlines()]
    for kind, text, (first, start), _, _ in tokenize.generate_tokens(io.StringIO(source).readline):
        if kind in _TEXT_TOKENS:
            words = re.sub(r"""^[A-Za-z]{0,2}["']+|["']+$|^#""", lambda match: " " * len(match[0]), text)
            for offset, part in enumerate(words.split("\n")):
                column = start if offset == 0 else 0
                line = lines[first - 1 + offset]
                lines[first - 1 + offset] = line[:column] + part + line[column + len(part) :]
    for number, line in enumerate(source.splitlines()):
        if match := _TEST_NAME.search(line):
            lines[number] += " " + match[1].replace("_", " ")
    return "\n".join(lines)


def _identifiers(path: Path, source: str) -> Iterator[Finding]:
    if _better_name(path.stem):
        yield Finding(path, 1, path.name, "rename the file")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if (
            token.type == tokenize.NAME
            and not token.string.startswith("test_")
            and (hint := _better_name(token.string))
        ):
            yield Finding(path, token.start[0], token.string, hint)


def _better_name(name: str) -> str | None:
    """What to use instead of a refused name."""
    return next((hint for pattern, hint in IDENTIFIERS.items() if pattern.search(name)), None)


def _is_checked(path: Path) -> bool:
    name = str(path)
    return (path.suffix in SUFFIXES | {".py"} or path.name in NAMES) and not name.startswith(SKIPPED)


def main(arguments: Sequence[str]) -> None:
    """Print every finding and fail if there is one."""
    wanted = tuple(arguments)
    paths = [path for path in committed_files() if _is_checked(path) and (not wanted or str(path).startswith(wanted))]
    found = [finding for path in paths for finding in check(path, path.read_text())]
    if found:
        sys.exit("\n".join(str(finding) for finding in found))
