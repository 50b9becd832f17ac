"""Which other installations wait for a Lease: each reports it in annotations of it, once a minute.

The replicas of one installation report nothing. The leader forgets an installation that did not report
for three minutes of its own clock, so clocks need not agree.
"""

import json
from collections.abc import Callable, Mapping

from imghost_operator.platform import Object

LEADER, WAITING = "imghost.dev/installation", "imghost.dev/standing-by"
"""Annotations of the Lease: who leads; and who stands by, as JSON from name to the time of its last report."""
REPORT_SECONDS, SILENT_SECONDS = 60.0, 180.0
_MOST = 10


def leader_of(lease: Object) -> str:
    """The installation that holds or held the lease; empty if an earlier release holds it."""
    return str(_annotations(lease).get(LEADER, ""))


def waiting(lease: Object) -> dict[str, str]:
    """Who stands by, and the time of the last report of each; what cannot be read is left out."""
    try:
        found = json.loads(_annotations(lease).get(WAITING, "{}"))
    except ValueError:
        return {}
    return {str(name): str(mark) for name, mark in found.items()} if isinstance(found, dict) else {}


def annotate(lease: Object, leader: str, marks: Mapping[str, str]) -> Object:
    """The lease with these annotations in place of its own."""
    others = {key: value for key, value in _annotations(lease).items() if key not in {LEADER, WAITING}}
    chosen = dict(sorted(marks.items(), key=lambda mark: mark[1])[-_MOST:])
    ours = {LEADER: leader} | ({WAITING: json.dumps(chosen)} if chosen else {})
    return {**lease, "metadata": {**lease.get("metadata", {}), "annotations": others | ours}}


class Others:
    """The other installations, as the leader sees them. `clock` is in seconds."""

    def __init__(self, own: str, clock: Callable[[], float]) -> None:
        self._own, self._clock = own, clock
        self._heard: dict[str, tuple[str, float]] = {}

    def look(self, lease: Object) -> dict[str, str]:
        """Those that stand by now, and the time of the last report of each."""
        now, marks = self._clock(), waiting(lease)
        marks.pop(self._own, None)
        news = {name: (mark, now) for name, mark in marks.items() if self._heard.get(name, ("", 0.0))[0] != mark}
        self._heard = {name: each for name, each in (self._heard | news).items() if name in marks}
        return {name: mark for name, mark in marks.items() if now - self._heard[name][1] <= SILENT_SECONDS}


def _annotations(lease: Object) -> dict[str, str]:
    return lease.get("metadata", {}).get("annotations") or {}
