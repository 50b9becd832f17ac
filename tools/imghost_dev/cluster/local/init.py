"""The node's first process: it mounts private folders, runs the programs, and reaps orphans.

Runs in namespaces of its own (see node.py) by `python init.py DESCRIPTION`, where DESCRIPTION is a JSON file with the
folders `lib`, `log`, `config` and the `programs` by name.
When it ends, the kernel ends every process of the node and takes its mounts and interfaces away.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

HIDDEN = ("/run", "/var/log", "/var/lib")  # of the machine; the node has its own there
RESTART_AFTER_SECONDS = 0.2
# What the kubelet would write there, for the whole machine; it leaves alone what has the wanted value already.
KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def main() -> None:
    """Wait until the network is ready, then run the programs until SIGTERM."""
    if not sys.stdin.readline():  # the process that started us ended before it was done
        sys.exit("the network was not reported as ready")
    os.chdir("/")
    node = json.loads(Path(sys.argv[1]).read_text())
    log = Path(node["log"])
    mount_private_folders(Path(node["lib"]), log)
    pretend_kernel_settings(Path(node["config"]))
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    supervise(node["programs"], log)


def mount_private_folders(lib: Path, log: Path) -> None:
    """Mount private folders over the paths in HIDDEN, so that programs can use their usual paths."""
    mount("-t", "tmpfs", "-o", "mode=755", "imghost", "/run")
    mount("--bind", str(log), "/var/log")
    mount("--bind", str(lib), "/var/lib")


def pretend_kernel_settings(folder: Path) -> None:
    """Cover the settings that belong to the whole machine by files, so that they stay as they are."""
    for name, value in KERNEL_SETTINGS.items():
        cover = folder / name.replace("/", ".")
        cover.write_text(value)
        mount("--bind", str(cover), f"/proc/sys/{name}")


def mount(*arguments: str) -> None:
    """As the command `mount` does it."""
    subprocess.run(["mount", *arguments], check=True)


def supervise(programs: dict[str, list[str]], log: Path) -> None:
    """Start all programs, restart those that end, and reap orphans."""
    running = {start(argv, log / f"{name}.log"): name for name, argv in programs.items()}
    while True:
        pid, status = os.wait()
        name = running.pop(pid, None)
        if name:
            with (log / f"{name}.log").open("a") as output:
                output.write(f"ended with {os.waitstatus_to_exitcode(status)}, starting again\n")
            time.sleep(RESTART_AFTER_SECONDS)
            running[start(programs[name], log / f"{name}.log")] = name


def start(argv: list[str], log: Path) -> int:
    """Start one program with its output in a file; returns its process id."""
    with log.open("ab") as output:
        # A Popen without references would reap the process itself.
        return os.posix_spawn(
            argv[0],
            argv,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, output.fileno(), 2),
            ],
            setsid=True,
        )


if __name__ == "__main__":
    main()
