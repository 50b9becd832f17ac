"""HTML of the problem pages. Pure; every value is escaped."""

import re
from collections.abc import Iterable
from html import escape
from string import Template

from imghost_core.problems import ProblemType

_CODE = re.compile(r"`([^`]+)`")
_DOCUMENT = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; }
code { font-family: ui-monospace, monospace; padding: 0 .25em; border-radius: .25em; background: #8882; }
h1 { line-height: 1.2; margin-bottom: .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .25rem; }
.status { opacity: .75; margin-top: 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid #8884; }
nav { margin-top: 3rem; }
</style>
</head>
<body>
$body
</body>
</html>
""")


def render_page(problem_type: ProblemType) -> str:
    """The page of one problem type."""
    body = f"""\
<main>
<h1>{escape(problem_type.title)}</h1>
<p class="status">HTTP status {problem_type.status}, code <code>{escape(problem_type.code)}</code></p>
<h2>What it means</h2>
<p>{_to_html(problem_type.meaning)}</p>
<h2>What to do</h2>
<p>{_to_html(problem_type.advice)}</p>
<p>The problem document in the response has more: <code>detail</code> names what was wrong with this request, and
<code>request_id</code> identifies it for the operators of this service.</p>
</main>
<nav><a href="../problems">All problems</a></nav>"""
    return _DOCUMENT.substitute(title=escape(problem_type.title), body=body)


def render_index(types: Iterable[ProblemType]) -> str:
    """The list of all problem types."""
    rows = "\n".join(
        f'<tr><td><a href="problems/{escape(each.code)}"><code>{escape(each.code)}</code></a></td>'
        f"<td>{each.status}</td><td>{_to_html(each.meaning)}</td></tr>"
        for each in types
    )
    body = f"""\
<main>
<h1>Problems</h1>
<p>Every error response to a valid HTTP request is a problem document (RFC 9457).
Its <code>code</code> is one of these.</p>
<table>
<tr><th>Code</th><th>Status</th><th>Meaning</th></tr>
{rows}
</table>
</main>"""
    return _DOCUMENT.substitute(title="Problems", body=body)


def _to_html(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
