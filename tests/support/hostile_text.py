"""Values that are no text, or hardly one: what a careful server answers with a 4xx wherever they are sent."""

import json

IN_JSON = {
    "NUL": r'"a\u0000b"',
    "high surrogate": r'"\ud800"',
    "low surrogate": r'"x\udfff"',
    "reversed surrogates": r'"\udc00\ud800"',
    "noncharacter": r'"\ufffe"',
    "right to left": r'"\u202eab"',
    "long": json.dumps("a" * 10_000),
    "many digits": "9" * 5_000,
    "NaN": "NaN",
    "infinity": "-Infinity",
    "null": "null",
    "list": '["a"]',
    "object": r'{"\u0000": "\ud800"}',
    "nested": "[" * 5_000,
}
"""JSON values as they are written in a body."""

IN_URLS = {
    "NUL": "%00",
    "NUL inside": "a%00b",
    "surrogate": "%ed%a0%80",
    "no UTF-8": "%ff%fe",
    "overlong": "%c0%80",
    "line break": "%0d%0aX-Evil:%201",
    "dots": "..%2f..%2fetc",
    "percent": "%25%30%30",
    "noncharacter": "%ef%bf%be",
    "right to left": "%e2%80%ae",
    "long": "a" * 10_000,
    "many digits": "9" * 5_000,
}
"""Values of path and query parameters as they are written in a URL."""

IN_HEADERS = {
    "no UTF-8": b"\xff\xfe",
    "surrogate": b"\xed\xa0\x80",
    "C1 control": b"\x85",
    "tab": b"a\tb",
    "long": b"a" * 10_000,
    "many digits": b"9" * 5_000,
    "list": b",,,",
    "quoted": b'"\\"',
}
"""Values of headers as they are sent."""
