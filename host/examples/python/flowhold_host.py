"""A host for the Flowhold component: it supplies granted directories, a clock and random numbers, and no Docker.

    host = Host("core.wasm")
    with host.session() as session:
        session.grant("/srv/flows", write=True)
        storage = session.local("/srv/flows")
        location = storage.add_flow("etl", b"print('hello')")
"""

import os
from dataclasses import dataclass

import wasmtime
from wasmtime.component import Component, Record, ResultType, Variant

import imports
import sources
from blob import Blob
from failure import Failure, make_record
from grants import Grants


class Host:
    """The compiled component. Compiling takes a third of a second; sessions take milliseconds."""

    def __init__(self, path, memory_limit=1 << 30, fuel=100_000_000_000):
        """`fuel` is how many instructions a session may run: about a minute's worth by default."""
        config = wasmtime.Config()
        config.consume_fuel = True
        self.engine = wasmtime.Engine(config)
        self.component = Component.from_file(self.engine, path)
        self.memory_limit, self.fuel = memory_limit, fuel

    def session(self):
        return Session(self)


class Session:
    """One instance of the component, with memory of its own and no directory until one is granted.

    After a failure with the code core-stopped it answers nothing any more: take another one.
    """

    def __init__(self, host):
        self.blobs, self.grants = imports.Blobs(), Grants()
        self.grant = self.grants.grant
        self._store = wasmtime.Store(host.engine)
        self._store.set_limits(memory_size=host.memory_limit)
        self._store.set_fuel(host.fuel)
        linker = imports.link(host.engine, self.blobs, self.grants)
        self._instance = linker.instantiate(self._store, host.component)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._store.close()
        self.grants.close()

    def plan(self, text, folder, need_bytes=False, python=None):
        """The plan of a spec, whose relative paths begin at `folder`. A build needs the bytes of everything in it, a
        preview only what the spec does not state. `python` is the Python of the flows, such as "3.11"."""
        spec = self.call("planning", "[constructor]spec", text)
        named = self.call("planning", "[method]spec.sources", spec)
        facts = make_record(
            python=python and make_record(version=python, prefect=None, cloudpickle=None),
            home=os.path.expanduser("~"),
            folder=str(folder),
            findings=sources.find(named, folder, self.grants, self.blobs.push, need_bytes))
        plan = self.call("planning", "[method]spec.plan", spec, facts)
        self.drop(spec)
        return Plan(self, plan)

    def docker(self):
        return Storage(self, self.call("storages", "[static]storage.docker"))

    def local(self, directory):
        return Storage(self, self.call("storages", "[static]storage.local", str(directory)))

    def memory(self):
        return Storage(self, self.call("storages", "[static]storage.memory"))

    def bytes(self):
        return Storage(self, self.call("storages", "[static]storage.bytes"))

    def storage_of(self, plan):
        return Storage(self, self.call("storages", "[static]storage.from-plan", plan.handle))

    def add_planned(self, plan):
        return self.call("storages", "[static]storage.add-planned", plan.handle)

    def deserialize(self, serialized):
        return Storage(self, self.call("storages", "[static]storage.deserialize", serialized))

    def call(self, interface, name, *arguments):
        """Calls a function by its name in core/wit/storage.wit. A failure that it returns is raised."""
        try:
            within = self._instance.get_export_index(self._store, f"flowhold:storage/{interface}@0.1.0")
            index = within and self._instance.get_export_index(self._store, name, within)
            if index is None:
                raise LookupError(f"this component has no {interface}.{name}: it is of another version")
            function = self._instance.get_func(self._store, index)
            value = function(self._store, *arguments)
        except wasmtime.WasmtimeError as error:
            raise Failure("unavailable", "core-stopped", f"the core stopped: {error}", help="start a new session")
        if not isinstance(function.type(self._store).result, ResultType):
            return value
        # wasmtime tags the two cases only where both are records; elsewhere a record must be the failure.
        ok = value.tag == "ok" if isinstance(value, Variant) else not isinstance(value, Record)
        answer = value.payload if isinstance(value, Variant) else value
        if not ok:
            raise Failure.of_record(answer)
        return answer

    def drop(self, handle):
        """wasmtime runs no destructor on its own: what is not dropped stays until the session is closed."""
        handle.drop(self._store)

    def take(self, handle):
        """The bytes of a blob that the component gave away."""
        return self.blobs.take(self._store, handle).bytes()


class Handle:
    """A resource of the component."""

    def __init__(self, session, handle):
        self.session, self.handle = session, handle

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.drop(self.handle)


class Plan(Handle):
    """A build plan: plain data, a function of the resolved spec alone."""

    def _call(self, method, *arguments):
        return self.session.call("planning", f"[method]plan.{method}", self.handle, *arguments)

    def digest(self):
        return self._call("digest")

    def dockerfile(self):
        return self._call("dockerfile")

    def to_json(self, since=None):
        """What `flowhold preview --format json` prints."""
        return self._call("to-json", since)

    def spec(self):
        """The resolved spec, with nothing left open."""
        return self._call("spec")

    def diagnostics(self):
        return self._call("diagnostics")

    def archive(self):
        """The build context as tar, in pieces, Dockerfile first."""
        for segment in self._call("archive"):
            yield segment if isinstance(segment, bytes) else self.session.take(segment)


@dataclass
class Flow:
    name: str
    format: str
    content: bytes


class Storage(Handle):
    """Where flows live: in Docker images, a directory, memory or the serialized storage itself."""

    def _call(self, method, *arguments):
        return self.session.call("storages", f"[method]storage.{method}", self.handle, *arguments)

    def flows(self):
        return dict(self._call("flows"))

    def contains(self, name):
        return self._call("contains", name)

    def add_flow(self, name, content, format="script"):
        """Returns the location."""
        handle = self.session.blobs.push(Blob(content))
        return self._call("add-flow", make_record(name=name, format=format, content=handle))

    def get_flow(self, location):
        flow = self._call("get-flow", location)
        return Flow(flow.name, flow.format, self.session.take(flow.content))

    def build(self, push=False, expect=None):
        return self._call("build", push, expect)

    def serialize(self):
        return self._call("serialize")

    def snapshot(self):
        return self._call("snapshot")
