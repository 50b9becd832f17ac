"""One cluster of this checkout, and imghost in it.

`python -m imghost_dev cluster demo` does everything; `make cluster` and `make cluster-down` call it.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence

from imghost_dev.cluster import providers
from imghost_dev.cluster.install import NAMESPACE, Installation
from imghost_dev.cluster.provider import Provider, Times


def write_line(text: object) -> None:
    """Print without buffering, also into a file or a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def up(provider: Provider, _: list[str]) -> None:
    """Start a bare cluster; does nothing when it runs."""
    times = Times(write_line)
    provider.up(times)
    write_line(f"{times.total():6.1f} s  in all")


def demo(provider: Provider, _: list[str]) -> None:
    """Start a cluster and install PostgreSQL, MinIO, the operator and the demo tenant."""
    times = Times(write_line)
    provider.up(times)
    installation = Installation(provider, times)
    installation.everything()
    known = installation.first_image()
    write_line(f"{times.total():6.1f} s  in all\n")
    urls, key = installation.urls(), known["key"]
    kubectl = "kubectl" if shutil.which("kubectl") else installation.kubectl.command[0]
    write_line(f"""The demo tenant serves:
  image              {known["image"]["view_url"]}
  thumbnail          {known["image"]["thumbnail"]}
  API documentation  {urls["auth"]}/docs
  upload one         curl -H 'X-API-Key: {key}' -F 'file=@photo.jpg' {urls["upload"]}/upload
The cluster:
  export KUBECONFIG={provider.kubeconfig}
  {kubectl} get imagehosttenants
  {kubectl} -n imghost-demo get all
  {kubectl} -n {NAMESPACE} logs -l app.kubernetes.io/instance=imghost
`make cluster-down` removes every trace of it.""")


def down(provider: Provider, _: list[str]) -> None:
    """Remove the cluster with every trace."""
    provider.down()


def status(provider: Provider, _: list[str]) -> None:
    """Print whether the cluster runs and what is in it; fails when it does not."""
    if not provider.is_up():
        sys.exit("no cluster runs")
    write_line(f"the cluster runs; its node ports are at {provider.address}, its kubeconfig is {provider.kubeconfig}")


def kubeconfig(provider: Provider, _: list[str]) -> None:
    """Print the path of an administrator's kubeconfig."""
    if not provider.is_up():
        sys.exit("no cluster runs; `make cluster` starts one")
    write_line(provider.kubeconfig)


def load_image(provider: Provider, names: list[str]) -> None:
    """Build the named images (default: all) where they changed, and load them into the nodes."""
    times = Times(write_line)
    make = provider.images(times)
    with times.phase("images built and loaded"):
        built = [make.by_name(name) for name in names or make.names()]
        provider.load(built)
    for image in built:
        write_line(image.tag)


COMMANDS: dict[str, Callable[[Provider, list[str]], None]] = {
    "demo": demo,
    "up": up,
    "down": down,
    "status": status,
    "kubeconfig": kubeconfig,
    "load-image": load_image,
}


def main(arguments: Sequence[str]) -> None:
    """Parse the command line and run the command."""
    described = "\n".join(f"  {name:12}{function.__doc__}" for name, function in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m imghost_dev cluster",
        description=described,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("names", nargs="*", help="images, for load-image")
    parser.add_argument(
        "--provider",
        choices=providers.NAMES,
        default=os.environ.get("IMGHOST_CLUSTER", "local"),
        help="where the cluster comes from (default: IMGHOST_CLUSTER, else local)",
    )
    options = parser.parse_args(arguments)
    COMMANDS[options.command](providers.find(options.provider), options.names)
