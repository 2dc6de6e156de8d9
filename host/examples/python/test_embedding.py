"""This host does what the binary does, and refuses what it must. `python -m unittest` in this folder, with the
environment variables FLOWHOLD_COMPONENT (the component's file) and FLOWHOLD_BIN (the binary)."""

import faulthandler
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from wasmtime.component import ResourceHost, ResourceType, Variant

import imports
from blob import Blob
from failure import Failure, make_record
from flowhold_host import Flow, Host

# Nothing here takes a minute. If something hangs, say where, and end.
faulthandler.dump_traceback_later(300, exit=True)

SPECS = Path(__file__).resolve().parents[3] / "tests/specs"
SCRIPT = b"print('hello')\n"
DOCKER = """
[storage]
type = "docker"
registry_url = "localhost:5000/acme"
base_image = "python:3.11-slim"
python_dependencies = ["six>=1"]
env_vars = { MODE = "it's $HOME" }
image_name = "etl"
image_tag = "v1"
files = { "FOLDER/data" = "/opt/data", "FOLDER/model.bin" = "/opt/model.bin" }

[[flows]]
path = "etl.py"
[[flows]]
path = "etl.pkl"
name = "Nightly: é"
"""
BYTES = """
[storage]
type = "bytes"

[[flows]]
path = "etl.py"
[[flows]]
path = "etl.pkl"
name = "Nightly: é"
"""
FLOWS = [("etl", "script", SCRIPT), ("Nightly: é", "pickle", b"\x80\x04K\x01.")]


def setting(name, what):
    value = os.environ.get(name)
    if not value or not os.path.isfile(value):
        raise SystemExit(f"{name} must be the path of {what}; it is {value!r}")
    return value


def files_in(directory):
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): (path.read_bytes(), path.stat().st_mode) for path in files}


def setUpModule():
    global BINARY, HOST
    BINARY = setting("FLOWHOLD_BIN", "the binary: `cargo build --release` makes target/release/flowhold")
    HOST = Host(setting("FLOWHOLD_COMPONENT", "the component: `flowhold component -o FILE` writes it"))


class Embedding(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name).resolve()
        # The binary's home is the folder; so must be ours, for `~`.
        home = mock.patch.dict(os.environ, HOME=str(self.folder))
        home.start()
        self.addCleanup(home.stop)

    def project(self):
        (self.folder / "etl.py").write_bytes(SCRIPT)
        (self.folder / "etl.pkl").write_bytes(FLOWS[1][2])
        # Large enough to be read in pieces from an open file.
        (self.folder / "model.bin").write_bytes(bytes(range(256)) * (3 << 12))
        data = self.folder / "data"
        (data / "sub").mkdir(parents=True)
        (data / "sub/run.sh").write_text("#!/bin/sh\n")
        (data / "sub/run.sh").chmod(0o755)
        (data / "link").symlink_to("sub/run.sh")
        return DOCKER.replace("FOLDER", str(self.folder))

    def session(self):
        session = HOST.session()
        self.addCleanup(session.close)
        return session

    def flowhold(self, *arguments, input=b"", check=True):
        done = subprocess.run([BINARY, *map(str, arguments)], input=input, capture_output=True, cwd=self.folder,
                              timeout=60)
        if check and done.returncode:
            self.fail(f"{arguments}: {done.stderr.decode()}")
        return done.stdout

    def fails(self, code, function, *arguments):
        with self.assertRaises(Failure) as caught:
            function(*arguments)
        self.assertEqual(caught.exception.code, code, caught.exception)
        return caught.exception


class Previews(Embedding):
    def test_every_spec_of_the_fixtures(self):
        planned = 0
        for path in sorted(SPECS.iterdir()):
            with self.subTest(path.name), self.session() as session:
                text = path.read_text()
                printed = json.loads(self.flowhold("preview", "--format", "json", "-f", "-", input=text.encode(),
                                                   check=False))
                plan = session.plan(text, self.folder)
                self.assertEqual(json.loads(plan.to_json()), printed)
                self.assertEqual(plan.digest(), printed["plan"])
                planned += printed["plan"] is not None
        self.assertGreater(planned, 5)

    def test_files_on_disk(self):
        text = self.project()
        session = self.session()
        session.grant(self.folder)
        plan = session.plan(text, self.folder)
        printed = json.loads(self.flowhold("preview", "--format", "json", "-f", "-", input=text.encode()))
        self.assertEqual(json.loads(plan.to_json()), printed)
        self.assertRegex(plan.digest(), "^sha256:[0-9a-f]{64}$")
        self.assertEqual(plan.dockerfile() + "\n" * (not plan.dockerfile().endswith("\n")),
                         self.flowhold("preview", "-f", "-", input=text.encode()).decode())
        context = b"".join(plan.archive())
        self.assertEqual(context, self.flowhold("dockerfile", "-", "-f", "-", input=text.encode()))
        self.assertIn(bytes(range(256)) * (3 << 12), context)

    def test_a_resolved_spec_needs_no_files(self):
        text = self.project()
        session = self.session()
        session.grant(self.folder)
        plan = session.plan(text, self.folder)
        again = self.session().plan(plan.spec(), self.folder)
        self.assertEqual(again.digest(), plan.digest())
        self.fails("no-content", lambda: list(again.archive()))
        complete = session.plan(plan.spec(), self.folder, need_bytes=True)
        self.assertEqual(b"".join(complete.archive()), b"".join(plan.archive()))

    def test_an_object_stays_open(self):
        text = '[storage]\ntype = "docker"\n[[flows]]\npath = "etl.py"\nobject = "flow"\nname = "etl"\n'
        plan = self.session().plan(text, self.folder)
        self.assertIsNone(plan.digest())
        self.assertIn("FROM ", plan.dockerfile())


class Storages(Embedding):
    def test_bytes(self):
        self.project()
        (self.folder / "flowhold.toml").write_text(BYTES)
        session = self.session()
        storage = session.bytes()
        for name, format, content in FLOWS:
            self.assertEqual(storage.add_flow(name, content, format), name)
        serialized, snapshot = storage.serialize(), storage.snapshot()
        self.assertEqual(serialized + "\n", self.flowhold("serialize", "flowhold.toml").decode())
        self.assertEqual(snapshot, self.flowhold("serialize", "flowhold.toml", "--to", "snapshot"))
        self.assertEqual(serialized + "\n", self.flowhold("serialize", "-", input=snapshot).decode())
        for again in (serialized.encode(), snapshot):
            storage = self.session().deserialize(again)
            self.assertEqual(list(storage.flows()), [name for name, _, _ in FLOWS])
            for flow in FLOWS:
                self.assertEqual(storage.get_flow(flow[0]), Flow(*flow))
        self.fails("invalid-snapshot", self.session().deserialize, snapshot[:-1])

    def test_docker(self):
        text = self.project()
        (self.folder / "flowhold.toml").write_text(text)
        session = self.session()
        session.grant(self.folder)
        storage = session.storage_of(session.plan(text, self.folder, need_bytes=True))
        self.assertEqual(storage.serialize() + "\n", self.flowhold("serialize", "flowhold.toml").decode())

    def test_local(self):
        self.project()
        ours, theirs = self.folder / "ours", self.folder / "theirs"
        self.flowhold("add", "etl.py", "--directory", theirs)
        self.flowhold("add", "etl.pkl", "--name", "Nightly: é", "--directory", theirs)
        session = self.session()
        session.grant(ours, write=True)
        session.grant(theirs)
        storage = session.local(ours)
        for name, format, content in FLOWS:
            location = storage.add_flow(name, content, format)
            self.assertEqual(Path(location).parent, ours)
            self.assertEqual(self.flowhold("get", name, "--directory", ours), content)
        self.assertEqual(files_in(ours), files_in(theirs))
        self.assertEqual({"flows": storage.flows()},
                         json.loads(self.flowhold("ls", "--format", "json", "--directory", ours)))
        read = session.local(theirs)
        for flow in FLOWS:
            self.assertEqual(read.get_flow(read.flows()[flow[0]]), Flow(*flow))
        self.fails("duplicate-flow", storage.add_flow, "etl", b"other")
        self.assertEqual(files_in(ours), files_in(theirs))


class Refusals(Embedding):
    def test_docker_is_an_answer(self):
        text = self.project()
        session = self.session()
        session.grant(self.folder)
        storage = session.storage_of(session.plan(text, self.folder, need_bytes=True))
        failure = self.fails("no-capability", storage.build)
        self.assertEqual(failure.kind, "unavailable")
        self.assertEqual(list(storage.flows()), ["etl", "Nightly: é"], "the instance still answers")

    def test_what_was_not_granted(self):
        inside = self.folder / "inside"
        inside.mkdir()
        (self.folder / "etl.prefect").write_bytes(b"secret")
        (inside / "link").symlink_to(self.folder)
        (inside / "flow.prefect").symlink_to(self.folder / "etl.prefect")
        session = self.session()
        session.grant(inside, write=True)
        outside = [self.folder, f"{inside}/../", f"{inside}/x/..", f"{inside}/link", f"{inside}/link/inside", "/",
                   f"{inside}x"]
        for directory in outside:
            with self.subTest(directory):
                location = f"{directory}/etl.prefect"
                storage = {"type": "Local", "__version__": "0.6.6", "directory": str(directory),
                           "flows": {"etl": location}}
                storage = session.deserialize(json.dumps(storage).encode())
                self.fails("not-granted", storage.get_flow, location)
                self.fails("not-granted", storage.add_flow, "new", b"x")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["etl.prefect", "inside"])
        self.fails("not-granted", session.grants.open, str(inside / "flow.prefect"))

    def test_reading_is_not_writing(self):
        session = self.session()
        session.grant(self.folder)
        self.fails("not-granted", session.local(self.folder).add_flow, "etl", b"x")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_source_that_was_not_granted_is_an_error_of_the_spec(self):
        text = self.project()
        plan = self.session().plan(text, self.folder)
        self.assertIsNone(plan.digest())
        self.assertEqual({diagnostic.code for diagnostic in plan.diagnostics() if diagnostic.severity == "error"},
                         {"not-granted"})

    def test_nothing_is_overwritten(self):
        session = self.session()
        session.grant(self.folder / "not/there/yet", write=True)
        path = self.folder / "not/there/yet/etl.prefect"
        session.grants.create_directory(str(path.parent))
        self.assertTrue(session.grants.create(str(path), Blob(b"first")))
        self.assertFalse(session.grants.create(str(path), Blob(b"second")))
        self.assertEqual(path.read_bytes(), b"first")
        session.grants.replace(str(path), Blob(b"third"))
        self.assertEqual(path.read_bytes(), b"third")
        both = [(str(path), Blob(b"fourth")), (str(path.with_name("other")), Blob(b"other"))]
        self.assertEqual(session.grants.create_all(both), [False, True])
        self.assertEqual(path.read_bytes(), b"third")
        self.assertEqual(session.grants.entries(str(path.parent)), ["etl.prefect", "other"], "nothing unfinished is left")

    def test_a_pipe_is_no_flow(self):
        os.mkfifo(self.folder / "etl.py")
        session = self.session()
        session.grant(self.folder)
        self.fails("file-error", session.grants.open, str(self.folder / "etl.py"))

    def test_a_file_that_changes(self):
        path = self.folder / "large"
        path.write_bytes(b"1" * (2 << 20))
        session = self.session()
        session.grant(self.folder)
        blob = session.grants.open(str(path))
        path.write_bytes(b"2")
        self.fails("file-error", blob.read, 0, 1)


class Instances(Embedding):
    def test_after_a_stop_the_next_one_works(self):
        with mock.patch.object(HOST, "fuel", 200_000):
            session = self.session()
        text = (SPECS / "flow-names.json").read_text()
        self.fails("core-stopped", lambda: session.plan(text, self.folder).to_json())
        self.fails("core-stopped", session.bytes)
        self.assertEqual(self.session().bytes().flows(), {})

    def test_memory_is_limited(self):
        with mock.patch.object(HOST, "memory_limit", 4 << 20):
            session = self.session()
        self.fails("core-stopped", session.plan, "#" * (8 << 20), self.folder)
        self.assertEqual(self.session().bytes().flows(), {})

    def test_every_handle_comes_back(self):
        session = self.session()
        session.grant(self.folder, write=True)
        for storage in (session.bytes(), session.local(self.folder)):
            with storage:
                location = storage.add_flow("etl", SCRIPT)
                for _ in range(100):
                    storage.get_flow(location)
                self.fails("flow-not-found", storage.get_flow, "elsewhere")
                self.fails("duplicate-flow", storage.add_flow, "etl", SCRIPT)
            self.assertEqual(len(session.blobs), 0)


class Answers(Embedding):
    """What a daemon answers, and that there is no such thing, as this wasmtime passes it on."""

    SPEC = """
[storage]
type = "docker"
registry_url = "localhost:5000/acme"
base_image = "python:3.11-slim"
image_name = "etl"
naming = "plan"
"""

    def setUp(self):
        super().setUp()
        self.image, self.published, self.pushed, self.file = None, None, None, None
        link = mock.patch.object(imports, "link_no_docker", self.link_docker)
        link.start()
        self.addCleanup(link.stop)

    def link_docker(self, docker):
        def answers(name, answer, tagged):
            def call(store, daemon, *_):
                daemon.to_host(store)
                found, code = answer()
                failure = None if found is not None else Failure("input", code, "there is none").record()
                if tagged:
                    return Variant("ok", found) if failure is None else Variant("err", failure)
                return found if failure is None else failure
            docker.add_func(f"[method]daemon.{name}", call)

        docker.add_resource("daemon", ResourceType.host(imports.DAEMON), lambda *_: None)
        docker.add_func("connect", lambda *_: ResourceHost.own(1, imports.DAEMON))
        answers("image", lambda: (self.image, "no-such-image"), tagged=True)
        answers("published", lambda: (self.published, "not-published"), tagged=False)
        answers("push", lambda: (make_record(digest=self.pushed), None), tagged=True)
        answers("pull", lambda: (None, "not-here"), tagged=False)
        answers("builder", lambda: ("classic", None), tagged=False)
        answers("build", lambda: (None, "not-here"), tagged=True)
        answers("run", lambda: (None, "not-here"), tagged=False)
        answers("copy-out", lambda: (self.file, "missing-file"), tagged=False)

    def test_of_a_daemon(self):
        session = self.session()
        plan = session.plan(self.SPEC, self.folder)
        built = session.storage_of(plan)
        self.fails("not-here", built.build)
        self.image = make_record(id="sha256:1", labels=[("io.flowhold.plan", plan.digest())])
        for self.published, self.pushed in [(None, None), (None, "sha256:2"), ("sha256:3", None)]:
            report = json.loads(built.build(push=True))
            self.assertEqual(report["digest"], self.published or self.pushed)
        local = session.storage_of(session.plan(self.SPEC + "local_image = true\n", self.folder))
        self.image = None
        self.fails("no-local-image", local.build)
        flows = {"etl": "/root/.prefect/etl.prefect"}
        image = {"registry_url": "localhost:5000", "image_name": "etl", "image_tag": "v1"}
        read = session.deserialize(json.dumps(
            {"type": "Docker", "__version__": "0.6.6", "flows": flows, "prefect_version": "0.6.6", **image}).encode())
        # It is pulled where there is none.
        self.fails("not-here", read._call, "read-flow", flows["etl"])
        self.image = make_record(id="sha256:1", labels=[])
        self.fails("flow-not-found", read._call, "read-flow", flows["etl"])
        self.file = session.blobs.push(Blob(SCRIPT))
        self.assertEqual(session.take(read._call("read-flow", flows["etl"])), SCRIPT)


if __name__ == "__main__":
    unittest.main()
