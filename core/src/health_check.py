"""Flowhold's health check: the last step of an image build.

    python health_check.py MANIFEST.json

    {"python": "3.9" or null,
     "flows": [{"name": "etl", "location": "/root/.prefect/etl.prefect", "format": "pickle" or "script"}]}

Every pickled flow must load and be something that can be run, every script must compile. All failures are
listed; the last lines name the flow and the cause, because the end of a failed step is what a build log shows.

Runs on CPython 3.6 and newer, with the standard library only.
"""
import gc
import json
import os
import pickle
import signal
import sys
import tempfile
import types

# Longer messages (a whole source file in a SyntaxError, a dump of an object) would push the others out of the log.
LONGEST_CAUSE = 1000

# A process of its own for fewer flows would take longer to start than to check them.
FEWEST = 200


def main(arguments):
    try:
        with open(arguments[1], encoding="utf-8") as file:
            manifest = json.load(file)
        wanted, flows = manifest["python"], manifest["flows"]
        plan = [(flow["name"], flow["location"], flow["format"]) for flow in flows]
    except Exception as error:
        say(2, "health check: the manifest can't be read: " + describe(error))
        return 1

    running = "%d.%d" % sys.version_info[:2]
    pickles = sum(1 for _, _, kind in plan if kind == "pickle")
    mismatch = bool(pickles and wanted and wanted != running)
    # Bytecode of another Python can crash this one, and whatever it says would hide the real cause.
    todo = [flow for flow in plan if not (mismatch and flow[2] == "pickle")]

    with tempfile.TemporaryDirectory(prefix="flowhold-") as scratch:
        # Importing dask, and so Prefect, writes its default settings: they must not get into the image.
        os.environ.setdefault("DASK_CONFIG", scratch)
        failures, missing = check_side_by_side(todo, scratch)
    lines = ["flow %s: %s" % (quote(todo[index][0]), failures[index]) for index in sorted(failures)]
    if mismatch:
        lines.append(
            "the flows were pickled by Python %s, but the image runs Python %s: "
            "take a base image with Python %s, or pickle them with Python %s" % (wanted, running, wanted, running)
        )
    if not lines:
        count = "1 flow is" if len(plan) == 1 else "%d flows are" % len(plan)
        say(1, "%s ready on Python %s" % (count, running))
        return 0
    if missing:
        names = ", ".join(sorted(missing))
        say(2, "missing in the image: %s (python_dependencies or files can bring it)" % names)
    for line in lines:
        say(2, line)
    return 1


def check_side_by_side(flows, scratch):
    """Like check_all. Each processor has a share of them, where there are enough to be worth its own imports."""
    workers = max(1, min(processors(), len(flows) // FEWEST))
    if workers == 1:
        return check_all(flows)
    shares = [range(number, len(flows), workers) for number in range(workers)]
    children = []
    for number, share in enumerate(shares):
        child = os.fork()
        if child == 0:
            try:
                failures, missing = check_all([flows[index] for index in share])
                with open(os.path.join(scratch, str(number)), "w", encoding="ascii") as file:
                    json.dump([sorted(failures.items()), sorted(missing)], file)
            finally:
                os._exit(0)
        children.append(child)
    all_failures, all_missing = {}, set()
    for number, (child, share) in enumerate(zip(children, shares)):
        os.waitpid(child, 0)
        try:
            with open(os.path.join(scratch, str(number)), encoding="ascii") as file:
                failures, missing = json.load(file)
        except (OSError, ValueError):
            # It was killed: all shares at once may have been too much for the memory.
            failures, missing = check_all([flows[index] for index in share])
            failures = failures.items()
        all_failures.update((share[index], cause) for index, cause in failures)
        all_missing.update(missing)
    return all_failures, all_missing


def processors():
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def check_all(flows):
    """Index -> cause for each flow that fails, and the names of the modules that were not found.

    The flows load in a child process, all in the same one, so that imports are paid for once. The parent watches
    it: a flow that calls os._exit(0) or crashes the interpreter is a failure with a name, not a success or a
    bare signal number, and a new child goes on with the flows behind it.
    """
    failures, missing, done = {}, set(), 0
    while done < len(flows):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                check_in_child(flows, done, writer)
            finally:
                os._exit(70)
        os.close(writer)
        with open(reader, encoding="ascii") as answers:
            # Counted, not read to the end: a process that a flow left behind may hold the pipe open.
            while done < len(flows):
                answer = answers.readline()
                if not answer.endswith("\n"):
                    break
                cause, module = json.loads(answer)
                if cause is not None:
                    failures[done] = cause
                if module is not None:
                    missing.add(module)
                done += 1
        status = os.waitpid(child, 0)[1]
        if done < len(flows):
            failures[done] = "it ended the process %s while it was loading" % ending(status)
            done += 1
    return failures, missing


def check_in_child(flows, start, writer):
    """Writes one answer per flow and never returns: threads and exit handlers of flows must not outlive it."""
    leave = os._exit
    # Of what is imported hardly anything is garbage, and looking for it is a tenth of the time.
    gc.set_threshold(200000)
    # What flows print belongs to stderr; stdout carries the one line of a success.
    os.dup2(2, 1)
    if not getattr(sys.flags, "safe_path", False):
        # The runner is started with `python -c`: flows find modules in the working directory, not beside this file.
        sys.path[0] = ""
    # Like the runner: a pickle that refers to `__main__` must not find this script there.
    sys.modules["__main__"] = types.ModuleType("__main__")
    for _, location, kind in flows[start:]:
        cause = module = None
        try:
            cause = check(location, kind)
        except BaseException as error:  # SystemExit and KeyboardInterrupt too: loading a flow must not end anything
            cause, module = explain(error), missing_module(error)
        write_all(writer, (json.dumps([cause, module]) + "\n").encode("ascii"))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass
    leave(0)


def check(location, kind):
    """None, or what is wrong with the flow; raises what loading it raises."""
    # Locations are UTF-8; in the C locale Python 3.6 would not find other names than ASCII ones.
    path = os.fsdecode(location.encode("utf-8", "surrogateescape"))
    try:
        file = open(path, "rb")
    except PermissionError as error:
        return describe(error) + " (the image's user may read another place, which prefect_directory in [storage] names)"
    with file:
        if kind == "script":
            compile(file.read(), location, "exec", dont_inherit=True)
            return None
        if kind != "pickle":
            return "the format %s is unknown here" % quote(kind)
        flow = pickle.load(file)
    if callable(getattr(flow, "run", None)) or callable(flow):
        return None
    return "TypeError: the pickle holds a %s, which has no run() and can't be called" % type(flow).__name__


def explain(error):
    """The error, and the one that it goes back to: often only that one names the missing piece."""
    root, seen = error, set()
    while id(root) not in seen:
        seen.add(id(root))
        before = root.__cause__ or (None if root.__suppress_context__ else root.__context__)
        root = before or root
    text = describe(error)
    return text if root is error else "%s (because of %s)" % (text, describe(root))


def describe(error):
    try:
        message = " ".join(str(error).split())
    except BaseException:
        message = "(an error whose message can't be shown)"
    if len(message) > LONGEST_CAUSE:
        message = message[:LONGEST_CAUSE] + "..."
    return type(error).__name__ + (": " + message if message else "")


def missing_module(error):
    for link in (error, error.__cause__, error.__context__):
        if isinstance(link, ImportError) and isinstance(link.name, str) and type(link).__name__ != "ImportError":
            return link.name.split(".")[0]
    return None


def ending(status):
    if not os.WIFSIGNALED(status):
        return "with exit code %d" % os.WEXITSTATUS(status)
    number = os.WTERMSIG(status)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "signal %d" % number
    return "by " + name + (" (out of memory?)" if name == "SIGKILL" else "")


def quote(name):
    """The name in quotes on one line, whatever it holds; letters of all scripts stay as they are."""
    return "'%s'" % "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(name))


def say(stream, text):
    """Bytes, and always UTF-8: sys.stdout would die of a name that the image's locale can't encode."""
    write_all(stream, ("flowhold: %s\n" % text).encode("utf-8", "backslashreplace"))


def write_all(stream, line):
    while line:
        line = line[os.write(stream, line):]


if __name__ == "__main__":
    sys.exit(main(sys.argv))
