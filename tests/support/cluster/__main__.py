"""`python -m support.cluster up|down|status|kubeconfig|load-image`: one cluster of this checkout."""

import argparse
import os
import sys
from pathlib import Path

from support.cluster.local.provider import Local
from support.cluster.provider import ClusterError, Times

def main() -> None:
    p = argparse.ArgumentParser()
    p.add_argument("command")
    a = p.parse_args()
    t = Times()
    c = Local()
    try:
        if a.command == "up":
            c.up(t); print(f"{t.total():.1f} s")
        elif a.command == "down":
            c.down()
    except ClusterError as e:
        sys.exit(f"error: {e}")
main()
