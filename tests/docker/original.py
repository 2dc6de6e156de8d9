"""Prefect 0.6.6, asked what it makes of Flowhold's files, and for files of its own."""
import json
import sys

import cloudpickle
import prefect
from prefect import Flow
from prefect.environments.storage import Bytes, Docker, Local, Memory
from prefect.serialization.storage import StorageSchema


def run_local(directory, name, location):
    """Runs a flow out of a directory of flows."""
    storage = Local(directory)
    storage.flows[name] = location
    state = storage.get_flow(location).run()
    print(state.__class__.__name__)


def load(path):
    """Loads a serialized storage, and says what is in it."""
    with open(path) as file:
        storage = StorageSchema().load(json.load(file))
    fields = ["registry_url", "image_name", "image_tag", "prefect_version", "directory", "flows"]
    found = {field: getattr(storage, field) for field in fields if hasattr(storage, field)}
    if isinstance(storage, Bytes):
        found["flows"] = {name: cloudpickle.loads(flow).name for name, flow in storage.flows.items()}
    elif "flows" in found and isinstance(storage, Memory):
        del found["flows"]
    print(json.dumps(dict(found, type=type(storage).__name__)))


def write(kind, directory):
    """Serializes a storage with flows in it."""
    docker = dict(registry_url="localhost:5000/acme", image_name="etl", image_tag="v1", prefect_version="0.6.6")
    storage = {
        "docker": lambda: Docker(**docker),
        "bare": lambda: Docker(prefect_version="0.6.6"),
        "local": lambda: Local(directory),
        "bytes": Bytes,
        "memory": Memory,
    }[kind]()
    for name in ["ETL: daily", "ünï"]:
        storage.add_flow(Flow(name))
    print(json.dumps(storage.serialize()))


assert prefect.__version__ == "0.6.6"
globals()[sys.argv[1]](*sys.argv[2:])
