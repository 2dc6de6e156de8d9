"""What the cases share: folders, specs, images, and the figures."""
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid

import measure

HERE = pathlib.Path(__file__).resolve().parent

FLOW = """from prefect import Flow, task


@task
def count():
    return {number}


with Flow("etl") as flow:
    count()
"""

# As pip takes them. For the original they are quoted, since they pass through a shell.
DEPENDENCIES = ["urllib3<2", "requests<2.32"]


def needed(name):
    try:
        return os.environ[name]
    except KeyError:
        sys.exit("%s is not set: run tests/bench/run.sh" % name)


def toml(value):
    """JSON writes texts, numbers and lists as TOML does."""
    if isinstance(value, dict):
        return "{ %s }" % ", ".join("%s = %s" % (json.dumps(key), toml(one)) for key, one in value.items())
    return json.dumps(value)


class Bench:
    """One run of the benchmarks. Everything that it makes is named after it, and removed with it."""

    def __init__(self, options):
        self.options = options
        self.id = "bench-" + uuid.uuid4().hex[:8]
        self.registry = needed("FLOWHOLD_TEST_REGISTRY")
        self.base = needed("FLOWHOLD_TEST_BASE_IMAGE")
        self.python = needed("FLOWHOLD_TEST_PREFECT_PYTHON")
        self.library = needed("FLOWHOLD_BENCH_BIN")
        self.client = needed("FLOWHOLD_TEST_DOCKER")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="flowhold-bench-", dir=options.folder))
        # A copy, as an installation makes it: the linker's output starts slower, in small pieces in the page cache.
        self.flowhold = shutil.copy(needed("FLOWHOLD_BIN"), self.folder)
        self.environment = dict(os.environ, HOME=str(self.new_folder("home")), TMPDIR=str(self.new_folder("tmp")))
        # Without bytecode, Python would be slower than it is for users.
        for name in ["VIRTUAL_ENV", "DOCKER_CONFIG", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "FLOWHOLD_CACHE",
                     "XDG_CACHE_HOME"]:
            self.environment.pop(name, None)
        self.figures = []
        self.ready = None
        # The repositories that may have been pushed to.
        self.repositories = set()
        version = "import sys; print('%d.%d' % sys.version_info[:2])"
        self.minor = measure.run([self.python, "-c", version], self.folder, self.environment).output.decode().strip()

    # ---- Folders and programs

    def new_folder(self, name):
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def settle(self, seconds=65):
        """Before thousands of files are made. ext4 takes no inode that was freed less than a minute ago, and for every
        new file looks at each of those: less than six minutes ago, where that is not on the disk yet, or where another of
        the same block was taken since."""
        os.sync()
        os.sync()
        time.sleep(seconds)

    @property
    def temporary(self):
        return self.environment["TMPDIR"]

    def ours(self, *arguments, folder, **more):
        return measure.run([self.flowhold, *arguments], folder, self.environment, **more)

    def original(self, *arguments, folder, **more):
        command = [self.python, "-W", "ignore", HERE / "original.py", *arguments]
        return measure.run(command, folder, self.environment, **more)

    def docker(self, *arguments, folder=None, may_fail=False):
        environment = dict(self.environment, DOCKER_CONFIG=self.environment["HOME"])
        return measure.run([self.client, *arguments], folder or self.folder, environment, may_fail=may_fail)

    # ---- Projects: the same for both

    def new_base(self):
        """A base image that nothing was built on yet, so that no builder has a step in its cache."""
        name = "%s/%s/base-%s:v1" % (self.registry, self.id, uuid.uuid4().hex[:8])
        folder = self.new_folder("base")
        (folder / "fresh").write_text(name)
        (folder / "Dockerfile").write_text("FROM %s\nCOPY fresh /etc/fresh\n" % self.base)
        self.docker("build", "--tag", name, ".", folder=folder)
        self.docker("push", name)
        self.repositories.add(name.rsplit(":", 1)[0])
        return name

    def project(self, name, base, flows=None, dependencies=DEPENDENCIES, **settings):
        """A folder with one flow, the spec of it for us, and the settings for the original."""
        folder = self.new_folder(name)
        (folder / "flow.py").write_text(FLOW.format(number=0))
        storage = {
            "type": "docker",
            "registry_url": "%s/%s" % (self.registry, self.id),
            "base_image": base,
            "image_name": name,
            "python_dependencies": dependencies,
            "image_tag": "v1",
            "prefect_version": "0.6.6",
            "python": self.python,
        }
        storage.update(settings)
        self.repositories.update("%s/%s" % (storage["registry_url"], one) for one in [name, name + "-original"])
        lines = ["%s = %s" % (key, toml(value)) for key, value in storage.items() if value is not None]
        flows = flows or ['path = "flow.py"\nobject = "flow"']
        (folder / "flowhold.toml").write_text("[storage]\n%s\n%s" % (
            "\n".join(lines), "".join("\n[[flows]]\n%s\n" % flow for flow in flows)))
        arguments = dict(
            registry_url=storage["registry_url"], base_image=base, image_name=name + "-original", image_tag="v1",
            python_dependencies=["'%s'" % one for one in dependencies], base_url=needed("DOCKER_HOST"),
        )
        if "files" in settings:
            arguments["files"] = settings["files"]
        (folder / "settings.json").write_text(json.dumps(arguments))
        return folder

    def warm_project(self, name, **settings):
        """A project whose like was built before: its dependencies are in the cache. One base serves all cases."""
        if self.ready is None:
            self.ready = self.new_base()
        return self.project(name, self.ready, **settings)

    def edit(self, folder):
        (folder / "flow.py").write_text(FLOW.format(number=uuid.uuid4().int))

    def pickling(self, command, folder):
        """A command of ours that takes no pickle of an earlier time."""
        return measure.run([self.flowhold, command], folder, dict(self.environment, FLOWHOLD_CACHE="off"))

    def build(self, folder, *arguments, **more):
        """Builds as we do; returns what it took, and the report."""
        done = self.ours("build", "--format", "json", "--progress", "none", *arguments, folder=folder, **more)
        return done, json.loads(done.output)

    def watching(self, folder):
        """A build that goes on by itself after each edit."""
        command = [self.flowhold, "build", "--watch", "--format", "json", "--progress", "none"]
        return measure.Following(command, folder, self.environment)

    def build_original(self, folder):
        return self.original("build", "flow.py", "settings.json", folder=folder)

    # ---- Figures

    def record(self, case, who, value, unit="s", **more):
        self.figures.append(dict(case=case, who=who, value=value, unit=unit, **more))
        if self.values(case, who) == [value] or who == "original":
            self.say("  %s, %s: %s" % (case, who, shown(value, unit)))

    def values(self, case, who):
        return [one["value"] for one in self.figures if (one["case"], one["who"]) == (case, who)]

    def median(self, case, who):
        values = self.values(case, who)
        return statistics.median(values) if values else None

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    # ---- The end

    def clean(self):
        """Removes our images by name, here and in the registry, and our folder."""
        pattern = "%s/%s/*" % (self.registry, self.id)
        # By their ids as well: when an image is built again, its tag moves to the new image.
        listed = self.docker("images", "--all", "--filter", "reference=" + pattern, "--no-trunc",
                             "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", may_fail=True)
        images = [line.split() for line in listed.output.decode().splitlines()]
        # Images that were built on others go first, so that removing an image removes its layers too.
        for name, identity in sorted(images, key=lambda image: "/base-" in image[0]):
            self.docker("image", "rm", "--force", identity if "<none>" in name else name, may_fail=True)
        self.clean_registry()
        shutil.rmtree(self.folder, ignore_errors=True)

    def clean_registry(self):
        for repository in sorted(self.repositories):
            host, name = repository.split("/", 1)
            root = "http://%s/v2/%s" % (host, name)
            try:
                with urllib.request.urlopen(root + "/tags/list") as answer:
                    tags = json.load(answer)["tags"] or []
                for tag in tags:
                    self.forget(root + "/manifests/", tag)
            except urllib.error.HTTPError as error:
                # 404: the repository was never pushed to.
                if error.code != 404:
                    self.say("the registry keeps %s: %s" % (repository, error))

    def forget(self, manifests, tag):
        accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
        with urllib.request.urlopen(urllib.request.Request(manifests + tag, headers=accept, method="HEAD")) as answer:
            digest = answer.headers["Docker-Content-Digest"]
        with urllib.request.urlopen(urllib.request.Request(manifests + digest, method="DELETE")):
            pass


def shown(value, unit):
    if unit == "s":
        return "%.1f ms" % (value * 1000) if value < 1 else "%.2f s" % value
    if unit == "B":
        return "%.1f MiB" % (value / 2**20)
    return "%.2f %s" % (value, unit)
