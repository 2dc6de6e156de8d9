"""Stores flows and previews an image, from Python: `python example.py core.wasm [DIRECTORY]`."""

import argparse
import os
import tempfile
from pathlib import Path

from flowhold_host import Host

SPEC = """
[storage]
type = "docker"
registry_url = "localhost:5000/acme"
base_image = "python:3.11-slim"
python_dependencies = ["six>=1"]
image_name = "hello"
image_tag = "v1"

[[flows]]
path = "hello.py"
"""

SCRIPT = b'print("hello from a flow")\n'


def local(host, directory):
    """A flow in a directory: the same file that `flowhold add` makes, which `flowhold run` finds."""
    with host.session() as session:
        session.grant(directory, write=True)
        storage = session.local(directory)
        location = storage.add_flow("hello", SCRIPT)
        print("stored  ", location)
        print("flows   ", storage.flows())
        print("got back", storage.get_flow(location))


def in_bytes(host):
    """Flows that are in the serialized storage itself."""
    with host.session() as session:
        storage = session.bytes()
        storage.add_flow("hello", SCRIPT)
        serialized, snapshot = storage.serialize(), storage.snapshot()
    with host.session() as session:
        storage = session.deserialize(snapshot)
        print(f"snapshot  {len(snapshot)} bytes, with", storage.flows())
        assert storage.serialize() == serialized


def preview(host, folder):
    """What `flowhold build` would build, digest and all, without a daemon."""
    (folder / "hello.py").write_bytes(SCRIPT)
    with host.session() as session:
        session.grant(folder)
        plan = session.plan(SPEC, folder)
        for diagnostic in plan.diagnostics():
            print(f"{diagnostic.severity:8}  {diagnostic.message}")
        print(plan.dockerfile())
        print("plan    ", plan.digest())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("component", nargs="?", default=os.environ.get("FLOWHOLD_COMPONENT"),
                        help="the file that `flowhold component -o FILE` writes [default: $FLOWHOLD_COMPONENT]")
    parser.add_argument("directory", nargs="?", help="where the flow is stored [default: a temporary directory]")
    arguments = parser.parse_args()
    if not os.path.isfile(arguments.component or ""):
        parser.error(f"the component is {arguments.component}, no file: `flowhold component -o core.wasm` writes it")
    host = Host(arguments.component)
    with tempfile.TemporaryDirectory() as folder:
        local(host, arguments.directory or f"{folder}/flows")
        in_bytes(host)
        preview(host, Path(folder))


if __name__ == "__main__":
    main()
