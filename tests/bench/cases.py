"""What is compared. Each case is a function of a bench; its sentence is what the table says of it."""
import json
import os
import random
import time

import measure
from bench import DEPENDENCIES

# The padding in the flows of original.py.
PADDING = b"x" * 900
# Seconds: nobody edits a flow again in the second in which it was built.
THINKING = 5
# How long thousands of removed files make new files slow: the files of an image, or an installer's cache.
SECONDS_AFTER_REMOVING = 365


def first(bench):
    """first build and push, cold cache"""
    for round_ in range(bench.options.rounds):
        # Both use one base, on which neither has built yet.
        base = bench.new_base()
        folder = bench.project("first-%d" % round_, base)
        bench.settle(SECONDS_AFTER_REMOVING)
        bench.record("first", "original", bench.build_original(folder).seconds)
        bench.record("image size", "original", pulled_size(bench, folder, "-original"), "B")
        if bench.options.cold_mounts:
            bench.docker("builder", "prune", "--force", "--filter", "type=exec.cachemount")
        bench.settle(SECONDS_AFTER_REMOVING)
        done, report = bench.build(folder)
        bench.record("first", "ours", done.seconds, steps=report["steps"])
        bench.record("image size", "ours", image_size(bench, report["image"]), "B")
        bench.ready = base


def image_size(bench, name):
    return int(bench.docker("image", "inspect", "--format", "{{.Size}}", name).output)


def pulled_size(bench, folder, suffix):
    """The original deletes what it has pushed."""
    name = "%s/%s/%s%s:v1" % (bench.registry, bench.id, folder.name, suffix)
    bench.docker("pull", "--quiet", name)
    size = image_size(bench, name)
    bench.docker("image", "rm", name)
    return size


def edited(bench):
    """one flow edited, built, health-checked, pushed"""
    folder = bench.warm_project("edited")
    bench.build_original(folder)
    bench.build(folder)
    watched = bench.warm_project("edited-watched")
    for _ in range(bench.options.rounds):
        bench.edit(folder)
        # By then, daemon and disk are done with the build before.
        time.sleep(THINKING)
        bench.record("edited", "original", bench.build_original(folder).seconds)
        time.sleep(THINKING)
        done, report = bench.build(folder)
        bench.record("edited", "ours", done.seconds, steps=report["steps"])
        bench.record("edited: of which Python pickles", "ours", bench.pickling("check", folder).seconds)
        with bench.watching(watched) as builds:
            builds.next()
            time.sleep(THINKING)
            began = time.perf_counter()
            bench.edit(watched)
            report = json.loads(builds.next())
            bench.record("edited, build --watch", "ours", time.perf_counter() - began, steps=report["steps"])
            if report["plan"] != json.loads(bench.ours("preview", "--format", "json", folder=watched).output)["plan"]:
                raise measure.Failed("what was built is not what `build` builds")


def unchanged(bench):
    """nothing changed (naming = "plan")"""
    folder = bench.warm_project("unchanged", naming="plan", image_tag=None)
    bench.build_original(folder)
    bench.build(folder)
    for _ in range(bench.options.rounds):
        bench.record("unchanged", "original", bench.build_original(folder).seconds)
        done, report = bench.build(folder)
        if not all(step["cached"] for step in report["steps"]):
            raise measure.Failed("something was built: %s" % report["steps"])
        bench.record("unchanged", "ours", done.seconds, steps=report["steps"])
        bench.record("unchanged: before the daemon is asked", "ours", bench.ours("check", folder=folder).seconds)


def dependency(bench):
    """a dependency added"""
    # Small packages without dependencies of their own; each round adds another one to dependencies built before.
    names = ["toolz", "sortedcontainers", "itsdangerous", "blinker", "zipp", "tomli", "platformdirs", "mypy-extensions"]
    folder = bench.warm_project("dependency")
    bench.build_original(folder)
    bench.build(folder)
    for name in random.sample(names, min(bench.options.rounds, len(names))):
        folder = bench.warm_project("dependency", dependencies=[*DEPENDENCIES, name])
        bench.record("dependency", "original", bench.build_original(folder).seconds)
        done, report = bench.build(folder)
        bench.record("dependency", "ours", done.seconds, steps=report["steps"])


def many(bench):
    """10,000 flows of 2 KB in one image, against one: first built and pushed, all edited, one of them edited"""
    count = bench.options.flows
    pickles = bench.new_folder("pickles")
    bench.original("local", count, pickles, folder=bench.folder)
    # All flows are alike, but for name and ids.
    pickles = [path.read_bytes() for path in sorted(pickles.iterdir())]
    folders = {}
    for flows in [1, count]:
        folders[flows] = many_project(bench, bench.new_base(), pickles[:flows])
        done, report = bench.build(folders[flows], watch=True)
        bench.record("many: first, %d" % flows, "ours", done.seconds, steps=report["steps"])
    for _ in range(bench.options.rounds):
        for case, flows, edited in [("many: 1", 1, 1), ("many: %d" % count, count, count), ("many: 1 of %d" % count, count, 1)]:
            write_pickles(folders[flows], pickles[:edited])
            done, report = bench.build(folders[flows], watch=True)
            bench.record(case, "ours", done.seconds, steps=report["steps"])
            bench.record(case + ", memory", "ours", done.peak, "B")
    folder = bench.warm_project("many-original")
    done = bench.original("many", 130, "settings.json", folder=folder, may_fail=True)
    words = (done.error or done.output.decode(errors="replace")).strip().splitlines()[-1:]
    bench.record("many: the original, 130", "original", done.seconds, code=done.code, words=words)


def many_project(bench, base, pickles):
    lines = ['path = "flows/%d.prefect"\nname = "flow-%d"' % (number, number) for number in range(len(pickles))]
    folder = bench.project("many-%d" % len(pickles), base, flows=lines, python=None, python_version=bench.minor)
    (folder / "flows").mkdir()
    write_pickles(folder, pickles)
    return folder


def write_pickles(folder, pickles):
    """Each with other padding, of the same length."""
    for number, pickle in enumerate(pickles):
        assert pickle.count(PADDING) == 1
        (folder / "flows" / ("%d.prefect" % number)).write_bytes(pickle.replace(PADDING, os.urandom(450).hex().encode()))


def write_scripts(folder, flows):
    salt = random.getrandbits(64)
    for number in range(flows):
        text = "NUMBER = %d\nSALT = %d\n" % (number, salt)
        while len(text) < 2000:
            text += "\n\ndef step_%d(x):\n    return x + NUMBER\n" % len(text)
        (folder / "flows" / ("flow_%d.py" % number)).write_text(text + "#" * (2048 - len(text)))


def plan(bench):
    """a plan of 100,000 flows of 2 KB, each read and hashed"""
    count = 10 * bench.options.flows
    paths = ['path = "flows/flow_%d.py"' % number for number in range(count)]
    folder = bench.project("plan", bench.base, flows=paths, python=None)
    (folder / "flows").mkdir()
    write_scripts(folder, count)
    for _ in range(bench.options.rounds):
        done = bench.ours("preview", "--format", "json", folder=folder, watch=True)
        assert len(json.loads(done.output)["flows"]) == count
        bench.record("plan", "ours", done.seconds)
        bench.record("plan: memory", "ours", done.peak, "B")


def preview(bench):
    """`preview` as a whole process: the Dockerfile and its context"""
    flow = ['path = "etl.prefect"\nname = "etl"']
    folder = bench.project("preview", bench.base, flows=flow, python_version=bench.minor, python=None)
    context = bench.new_folder("context")
    bench.original("dockerfile", "flow.py", "settings.json", context, folder=folder)
    # The original's own pickle of the same flow.
    (context / "etl.flow").rename(folder / "etl.prefect")
    objects = bench.project("preview-object", bench.base)
    for _ in range(bench.options.rounds):
        done = bench.original("dockerfile", "flow.py", "settings.json", context, folder=folder)
        bench.record("preview", "original", done.seconds)
        bench.record("preview, pickling", "original", done.seconds)
        bench.record("preview, pickling", "ours", bench.pickling("preview", objects).seconds)
        for _ in range(20):
            done = bench.ours("preview", folder=folder)
            bench.record("preview", "ours", done.seconds, cpu=done.cpu)
            bench.record("preview: a process that does nothing", "ours", floor(bench).seconds)


def floor(bench):
    return measure.run(["/bin/true"], bench.folder, bench.environment)


def files(bench):
    """2 GiB in `files`: image in the daemon; then the flow edited and the same again"""
    large = bench.folder / "large.bin"
    block = os.urandom(1 << 20)
    with open(large, "wb") as file:
        for _ in range(bench.options.mebibytes):
            file.write(block)
    folder = bench.warm_project("files", files={str(large): "/opt/large.bin"})
    warm(bench)
    settings = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps(dict(settings, registry_url=None, image_name=bench.id + "-files")))
    try:
        for case in ["files", "files, flow edited"]:
            bench.edit(folder)
            os.sync()
            done = bench.ours("build", "--no-push", "--format", "json", "--progress", "none", folder=folder, watch=True,
                              directory=bench.temporary)
            record_files(bench, case, "ours", done, steps=json.loads(done.output)["steps"])
            os.sync()
            record_files(bench, case, "original", bench.original(
                "build", "flow.py", "settings.json", folder=folder, watch=True, directory=bench.temporary))
    finally:
        bench.docker("image", "rm", "--force", bench.id + "-files:v1", may_fail=True)
        large.unlink()


def warm(bench):
    """Installs what all projects need, so that only what is asked for is measured."""
    bench.build(bench.warm_project("warm"), "--no-push")


def record_files(bench, case, who, done, **more):
    bench.record(case, who, done.seconds, **more)
    bench.record(case + ": peak memory", who, done.peak, "B")
    bench.record(case + ": copied to the temporary directory", who, done.temporary, "B")
    bench.record(case + ": written by the process", who, done.written, "B")


def local(bench):
    """Local storage, 10,000 flows added in one process"""
    count = bench.options.flows
    # Once for all rounds: nothing is removed before the end.
    bench.settle()
    for number in range(bench.options.rounds):
        pickles = bench.new_folder("pickles-%d" % number)
        os.sync()
        bench.record("local", "original", bench.original("local", count, pickles, folder=bench.folder).seconds)
        os.sync()
        folder = bench.new_folder("local-%d" % number)
        flows = "".join("\n[[flows]]\npath = %s\n" % json.dumps(str(path)) for path in sorted(pickles.iterdir()))
        (folder / "flowhold.toml").write_text('[storage]\ndirectory = "stored"\n' + flows)
        bench.record("local", "ours", bench.ours("build", "--progress", "none", folder=folder).seconds)
        assert len(list((folder / "stored").glob("*.prefect"))) == count
        for case, command in [
            ("local: the library, flow by flow", "add"),
            ("local: bare write and rename, nothing synced", "bare"),
            ("local: bare write, one sync for all, and rename", "together"),
            ("local: bare write, sync, rename and sync", "synced"),
        ]:
            os.sync()
            target = bench.new_folder("%s-%d" % (command, number))
            done = measure.run([bench.library, command, pickles, target], bench.folder, bench.environment)
            bench.record(case, "ours", done.seconds)


CASES = [first, edited, unchanged, dependency, many, plan, preview, files, local]
