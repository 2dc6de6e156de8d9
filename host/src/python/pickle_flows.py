"""Flowhold's half in the user's Python: says what is installed, and pickles flows out of their files.

Started by interpreter.rs with `python -c`; reads one JSON object from stdin,

    {"directory": DIR, "requests": [{"index": 0, "file": FILE, "object": "flow"}, ...]}

writes the pickles as DIR/0.pickle, DIR/1.pickle ... and answers with lines of `flowhold-answer JSON`, the variants of
session.rs's `Answer`. They go to what was stdout at the start; whatever the user's files print ends up on stderr.

Arguments are files that will be asked for: what they import is imported before the object is read. So a program that
waits for files to be edited has Python do most of its work before it is asked.

A file is executed like `python FILE`, but under the name MODULE, so that its `if __name__ == "__main__"` stays
quiet; and MODULE is nothing that can be imported, so what the file defines is pickled by value. Several files are
executed in a process each: none finds what another has imported, set or left behind.

The pickles are byte-stable: the same file, with the same packages, gives the same bytes in every run and folder.
The plan digest covers these bytes: were they to change with every run, an unchanged flow would be built and pushed
anew, and `--expect-plan` could never be met. What would change them, and what is done about it:
  * string hashes (interpreter.rs sets PYTHONHASHSEED=0);
  * the random slugs of Prefect's tasks and ids that cloudpickle gives to classes (class StableIds);
  * sets of Prefect's tasks, which iterate by memory address (class StableHashes);
  * the folder of the file, which is in the code objects and in `__file__` (class FlowFile).
A file that calls random or the clock itself, or keeps sets of its own address-hashed objects, is as unstable as it
wants to be: nothing that the user's own code calls is replaced. What makes an unchanged flow the same flow even then
is cache.rs, which keeps pickles for as long as nothing changes that they were made from: class Trace tells it what.

Runs on CPython 3.6 and newer with the standard library, and cloudpickle once there is something to pickle. Older
Pythons, down to 2.7, must be able to parse this text, to be told that they are too old.
"""
import gc
import json
import os
import re
import sys
import types

MODULE = "__flow__"
# What MODULE is called in pickles, as in those of the original: every process that loads one has a module of that name.
# It is as long, so that it can take the other's place.
LOADED = "__main__"

# How a process ends that has pickled its share.
PICKLED = 77


class Refusal(Exception):
    """Carries the answer that says what can't be done."""

    def __init__(self, **answer):
        Exception.__init__(self, answer)
        self.answer = answer


def main():
    if sys.version_info < (3, 6):
        sys.exit("Python 3.6 or newer is needed, and this is %d.%d" % sys.version_info[:2])
    channel = os.dup(1)
    os.dup2(2, 1)

    def answer(**fields):
        # Begins with a line end: a start-up hook may have printed half a line before this program began.
        # What is no character, as in a file name that is not UTF-8, is no JSON.
        line = ("\nflowhold-answer %s\n" % json.dumps(fields, ensure_ascii=False)).encode("utf-8", "replace")
        while line:
            line = line[os.write(channel, line):]

    # Of what is imported hardly anything is garbage, and looking for it is a tenth of the time.
    gc.set_threshold(200000)
    if sys.path[:1] == [""]:
        del sys.path[0]  # the working directory; `python FILE` has the file's folder there instead
    files = sys.argv[1:]
    hooks = Hooks() if files else None
    for path in files:
        import_ahead(path, hooks.trace.installed)
    order = sys.stdin.buffer.read()
    if not order:
        os._exit(0)  # whoever wanted to ask has ended
    order = json.loads(order.decode("utf-8"))
    answer(kind="facts", version="%d.%d" % sys.version_info[:2], executable=sys.executable or "", path=encodable(sys.path),
           **installed("prefect", "cloudpickle"))
    if order["requests"]:
        Pickler(order["directory"], answer, hooks or Hooks()).pickle_all(order["requests"])
    answer(kind="done")
    end(0)


def end(code):
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass
    clean_up()
    # Threads and exit handlers of the user's files have nothing to say any more.
    os._exit(code)


def clean_up():
    """Ends the processes and removes the temporary files of the user's files, if that takes no time to speak of."""
    steps = [lambda: sys.modules["multiprocessing.util"]._exit_function(),
             lambda: sys.modules["weakref"].finalize._exitfunc()]

    def run():
        for step in steps:
            try:
                step()
            except BaseException:  # it isn't used, or other code has broken it
                continue

    import threading

    cleaner = threading.Thread(target=run)
    cleaner.daemon = True
    cleaner.start()
    cleaner.join(1)


class Hooks:
    """What has to be in place before Prefect is imported."""

    def __init__(self):
        self.ids, self.hashes, self.trace = StableIds(), StableHashes(), Trace()
        sys.meta_path.insert(0, self.hashes)
        write_no_bytecode_but(self.trace.is_installed)


def write_no_bytecode_but(is_installed):
    """Of modules that are not installed. Their folder is the user's, and may be one of `files`: to plan it must not be to
    change it."""
    from importlib.machinery import SourceFileLoader

    original = getattr(SourceFileLoader, "_cache_bytecode", None)
    if original is None:
        return

    def cache_bytecode(loader, source, bytecode, data):
        if is_installed(source):
            original(loader, source, bytecode, data)

    SourceFileLoader._cache_bytecode = cache_bytecode


def import_ahead(path, installed):
    """What is installed of what a file imports at its top: not modules of its author's, which may change yet."""
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError:
        source = b""  # the same is told when the file is executed
    names = ["cloudpickle"]
    for new in top_statements(source):
        names += new or []
    for name in names:
        if is_installed(name.partition(".")[0], installed):
            import_module(name)


class Pickler:
    """Pickles what is asked for, and ends the process if it can't."""

    def __init__(self, directory, answer, hooks):
        self.directory, self.answer, self.hooks = directory, answer, hooks

    def pickle_all(self, requests):
        by_file = {}
        for request in requests:
            by_file.setdefault(request["file"], []).append(request)
        try:
            try:
                import cloudpickle  # noqa: F401, as every file finds it
            except ImportError as error:
                raise Refusal(kind="no_cloudpickle", message=describe(error))
            files = []
            for path, requests in by_file.items():
                self.answer(kind="begin", request=requests[0]["index"])
                files.append(FlowFile(path, requests))
        except Refusal as refusal:
            self.refuse(refusal)
        if len(files) > 1:
            if not hasattr(os, "fork"):
                sys.exit("flows of several files need a system with fork(): give each file a spec of its own")
            for file in files:
                file.imports = first_imports(file.source, file.folder, self.hooks.trace.installed)
        self.pickle_side_by_side(files, 0)

    def pickle_side_by_side(self, files, depth):
        """Of what the files import first, `depth` imports are done. What several of them import next is imported once."""
        while len(files) > 1:
            branches = {}
            for file in files:
                branch = (file.imports[depth], None) if depth < len(file.imports) else (None, file)
                branches.setdefault(branch, []).append(file)
            if len(branches) > 1:
                for (name, _), branch in branches.items():
                    self.in_child(name, branch, depth)
                return
            import_module(files[0].imports[depth])
            depth += 1
        for file in files:
            self.pickle_file(file)

    def in_child(self, name, files, depth):
        import signal
        import warnings

        reader, writer = os.pipe()
        with warnings.catch_warnings():
            # Packages that start threads when they are imported: Python 3.12 and newer warn of them.
            warnings.simplefilter("ignore")
            child = os.fork()
        if child == 0:
            os.close(writer)
            end_with_parent(reader)
            if name is not None:
                import_module(name)
            self.pickle_side_by_side(files, depth + (name is not None))
            end(PICKLED)
        os.close(reader)
        status = os.waitpid(child, 0)[1]
        os.close(writer)
        # Whatever has ended the child is the end of this process as well.
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if os.WEXITSTATUS(status) != PICKLED:
            os._exit(os.WEXITSTATUS(status))

    def pickle_file(self, file):
        import cloudpickle

        ids, trace = self.hooks.ids, self.hooks.trace
        try:
            self.answer(kind="begin", request=file.requests[0]["index"])
            ids.start(file.source)
            trace.listen()
            file.execute()
            for request in file.requests:
                index, name = request["index"], request["object"]
                self.answer(kind="begin", request=index)
                flow = file.find(name)
                content = file.pickle(flow, name, cloudpickle, ids)
                try:
                    with open(os.path.join(native(self.directory), "%d.pickle" % index), "wb") as target:
                        target.write(content)
                except OSError as error:
                    raise Refusal(kind="unwritten", message=describe(error), errno=error.errno)
                self.answer(kind="pickled", request=index, name=own_name(flow))
            self.tell(ids.sha256(file.source).hexdigest())
        except Refusal as refusal:
            self.refuse(refusal)

    def refuse(self, refusal):
        # What it was made from may be what is wrong.
        self.tell("")
        self.answer(**refusal.answer)
        end(0)

    def tell(self, source):
        found = self.hooks.trace.found()
        if not found:
            return
        # A line of an answer must not be too long.
        most = 100
        for kind in ("reads", "listings"):
            while len(found[kind]) > most:
                self.answer(kind="trace_part", **{kind: found[kind][:most]})
                found[kind] = found[kind][most:]
        self.answer(kind="trace", source=source, **found)


def first_imports(source, folder, installed):
    """Names of the modules that a file imports before it does anything else, as far as they are installed."""
    from importlib.machinery import PathFinder

    names = []
    for new in top_statements(source):
        if new is None:
            return names
        for name in new:
            top = name.partition(".")[0]
            if not is_installed(top, installed) or PathFinder.find_spec(top, [folder]) is not None:
                return names
            names.append(name)
    return names


def top_statements(source):
    """For each statement at the top of a file, the names of the modules that it imports; None if it does anything else."""
    import ast

    try:
        tree = ast.parse(source)
    except (ValueError, SyntaxError):
        return  # the same is told when the file is executed
    for statement in tree.body[ast.get_docstring(tree) is not None:]:
        if isinstance(statement, ast.Import):
            yield [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            yield [] if statement.module == "__future__" else [statement.module]
        else:
            yield None


def is_installed(top, installed):
    import importlib.util

    try:
        found = importlib.util.find_spec(top)
    except BaseException:
        return False
    return bool(found) and (found.origin or "").startswith(installed)


def import_module(name):
    """Ahead of a file, which will say what is wrong if that fails."""
    import importlib

    try:
        importlib.import_module(name)
    except BaseException:
        pass


def end_with_parent(reader):
    """Whoever kills the first process means all of them: the kernel ends this one when the pipe's other end is closed."""
    import fcntl

    fcntl.fcntl(reader, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(reader, fcntl.F_SETFL, fcntl.fcntl(reader, fcntl.F_GETFL) | os.O_ASYNC)


class FlowFile:
    """One of the user's files, executed once for all flows in it."""

    def __init__(self, path, requests):
        self.requests = requests
        self.path = native(path)
        # In code objects the bare name: a pickle must not tell, or depend on, where its author keeps the file.
        self.shown = os.path.basename(self.path)
        self.folder = os.path.dirname(os.path.realpath(self.path))
        self.module = types.ModuleType(MODULE)
        try:
            with open(self.path, "rb") as file:
                self.source = file.read()
        except OSError as error:
            raise Refusal(kind="unreadable", message=describe(error))

    def execute(self):
        import importlib.util
        import linecache

        sys.path.insert(0, self.folder)
        sys.argv[:] = [self.path]
        self.module.__file__ = self.path
        # Registered while it runs: dataclasses, for one, look up the module of a class.
        sys.modules[MODULE] = self.module
        try:
            code = compile(self.source, self.shown, "exec", dont_inherit=True)
            # inspect.getsource() and tracebacks would not find the bare name in another folder.
            lines = importlib.util.decode_source(self.source).splitlines(True)
            linecache.cache[self.shown] = (len(self.source), None, lines, self.shown)
            exec(code, self.module.__dict__)
        except BaseException as error:  # sys.exit() must not end this program either
            raise Refusal(kind="import", message=describe(error), line=self.line_of(error))
        if not mentions(code, "__file__"):
            # cloudpickle hands it to every function; one that reads it keeps it, and the folder with it.
            del self.module.__file__

    def line_of(self, error):
        if isinstance(error, SyntaxError) and error.filename == self.shown:
            return error.lineno
        line, trace = None, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_globals is self.module.__dict__:
                line = trace.tb_lineno
            trace = trace.tb_next
        return line

    def find(self, name):
        found = self.module
        for part in name.split("."):
            try:
                found = getattr(found, part)
            except BaseException as error:
                raise Refusal(kind="no_object", message=describe(error), near=near(found, part, found is self.module))
        if not runnable(found):
            kind = type(found).__name__
            why = "it is a class" if isinstance(found, type) else 'its type "%s" has no run(), and it can\'t be called' % kind
            others = [other for other in public(self.module) if is_flow(getattr(self.module, other))]
            raise Refusal(kind="not_runnable", message=why, near=others[:5])
        needed = needed_arguments(found)
        if needed:
            why = "it needs the argument %s, and a flow is run without any" % " and ".join(needed)
            raise Refusal(kind="not_runnable", message=why, near=[])
        return found

    def pickle(self, flow, name, cloudpickle, ids):
        # What is defined in a module that nobody can import is pickled by value.
        sys.modules.pop(MODULE, None)
        try:
            return ids.settle(as_loaded(cloudpickle.dumps(flow)))
        except BaseException as error:
            part = culprit(flow, name, cloudpickle.dumps)
            raise Refusal(kind="not_picklable", message=describe(error), part=part)
        finally:
            sys.modules[MODULE] = self.module


class Trace:
    """What the pickles were made from, besides their own files and the installed packages.

    That is what the user's files read and list, as Python's audit events tell (3.8 has them first), and the modules
    they import.
    """

    # What other programs and machines answer can't be asked for again without executing the file. What a package asks
    # for when it is imported is its own affair.
    ELSEWHERE = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname", "socket.getnameinfo",
                 "socket.sendmsg", "socket.sendto", "subprocess.Popen", "os.exec", "os.fork", "os.forkpty",
                 "os.posix_spawn", "os.spawn", "os.startfile", "os.system"}
    HEARD = ELSEWHERE | {"open", "os.listdir", "os.scandir", "sqlite3.connect"}
    # The kernel's answers are others each time.
    KERNEL = ("/proc/", "/sys/", "/dev/")

    def __init__(self):
        import sysconfig
        from importlib.util import source_from_cache

        self.source_of = source_from_cache
        # Python 3.6 and 3.7 don't say what is opened.
        self.broken = not hasattr(sys, "addaudithook")
        self.listening = False
        self.reads, self.listings = set(), set()
        self.library = folders(sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))
        self.packages = folders(path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages"))
        self.installed = self.library + self.packages
        if not self.broken:
            sys.addaudithook(self.hear)
            self.hear_fork_exec()

    def listen(self):
        self.listening = True
        # Where Python has looked for modules before, it would do so again without a word.
        for folder in list(sys.path_importer_cache):
            if not self.is_installed(folder):
                del sys.path_importer_cache[folder]

    def is_installed(self, path):
        return os.path.join(path, "").startswith(self.installed)

    def is_plainly_installed(self, path):
        """The same of a path as it is, quickly: nearly all are such, and there are thousands."""
        return type(path) is str and path.startswith(self.installed) and ".." not in path

    def hear(self, event, arguments):
        if event not in self.HEARD or not self.listening:
            return
        try:
            if event == "open":
                self.opened(*arguments)
            elif event in ("os.listdir", "os.scandir"):
                # Importing looks only for what can be imported, and so do packages that look for other packages.
                frame = sys._getframe(1)
                imports = frame.f_globals.get("__name__") in ("importlib._bootstrap_external", "_frozen_importlib_external")
                imports = imports or os.path.abspath(arguments[0] or ".") in sys.path and self.by_package(frame)
                self.note(self.listings, arguments[0] or ".", imports)
            elif event == "sqlite3.connect":
                self.connected(arguments[0])
            elif event in self.ELSEWHERE:
                self.broken = self.broken or not self.by_import(sys._getframe(1))
        except BaseException:
            self.broken = True

    def hear_fork_exec(self):
        """multiprocessing starts programs with it, of which no event tells."""
        try:
            import _posixsubprocess
        except ImportError:
            return
        original = _posixsubprocess.fork_exec

        def fork_exec(*arguments):
            if self.listening:
                self.broken = self.broken or not self.by_import(sys._getframe(1))
            return original(*arguments)

        _posixsubprocess.fork_exec = fork_exec

    def opened(self, path, mode, flags):
        if isinstance(path, int) or self.is_plainly_installed(path):
            return
        if mode:
            reads = "r" in mode or "a" in mode and "+" in mode
        else:
            reads = not (flags or 0) & (os.O_WRONLY | os.O_TRUNC | os.O_EXCL)
        path = os.fsdecode(path)
        if "__pycache__" in path:
            # Their sources count.
            try:
                path = self.source_of(path)
            except ValueError:
                return
        if reads:
            self.note(self.reads, path)

    def connected(self, database):
        database = os.fsdecode(database)
        if database.startswith("file:"):
            self.broken = True
        elif database and database != ":memory:":
            # What was changed last may be beside it.
            self.note(self.reads, database)
            self.note(self.reads, database + "-wal")

    def note(self, known, path, *more):
        if self.is_plainly_installed(path):
            return
        path = os.path.abspath(os.fsdecode(path))
        of_kernel = path.startswith(self.KERNEL) and not path.startswith("/dev/shm/")
        if not of_kernel and not self.is_installed(path):
            known.add((path,) + more)

    def at_work(self, frame):
        """Whose code it is, from the innermost outwards, but for the standard library's."""
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(self.packages):
                yield "package"
            elif file.startswith("<frozen importlib."):
                yield "import"
            elif not file.startswith(self.library + ("<frozen ",)):
                yield "user"
            frame = frame.f_back

    def by_package(self, frame):
        """Whether a package asks, on its own account or with the standard library's help."""
        return next((whose for whose in self.at_work(frame) if whose != "import"), None) == "package"

    def by_import(self, frame):
        """Whether a package asks while it is imported, and not because it was called."""
        package = False
        for whose in self.at_work(frame):
            if whose == "user" or whose == "import" and package:
                return whose == "import"
            package = package or whose == "package"
        return False

    def found(self):
        """All so far, and whether there can be more; none where it can't be told."""
        self.listening = False
        for name, module in list(sys.modules.items()):
            try:
                if name != MODULE:
                    self.note(self.reads, module.__file__)
            except Exception:  # anything may be in sys.modules
                continue
        paths = encodable(entry[0] for entry in self.reads | self.listings)
        if paths is None:
            return None
        return {"complete": not self.broken, "reads": [path for path, in sorted(self.reads)], "listings": sorted(self.listings)}


def folders(paths):
    """How the paths of all that is in them begin."""
    return tuple(os.path.join(each, "") for path in paths if path for each in {path, os.path.realpath(path)})


class StableIds:
    """uuid.uuid4, as Prefect and cloudpickle see it; everyone else keeps getting random ones.

    Prefect's come from the file's content and a counter. cloudpickle's name a class for all who load it: two classes
    with one id would be taken for the same class. So they come from all of the pickle's bytes: placeholders at
    first, which settle() replaces.
    """

    def __init__(self):
        import uuid
        from hashlib import sha256

        self.sha256 = sha256
        self.prefix = os.urandom(8).hex()
        self.classes = 0
        self.start(b"")
        random = uuid.uuid4

        def uuid4():
            caller = sys._getframe(1).f_globals.get("__name__") or ""
            package = caller.partition(".")[0]
            if package == "prefect":
                self.tasks += 1
                digest = sha256(self.seed + b"%d" % self.tasks).digest()
                return uuid.UUID(bytes=digest[:16], version=4)
            if package == "cloudpickle":
                self.classes += 1
                return uuid.UUID(hex="%s%016x" % (self.prefix, self.classes))
            return random()

        # A flow that uses uuid4 holds this function. Under its name it is pickled by reference, and so stays out.
        uuid4.__module__, uuid4.__qualname__ = random.__module__, random.__qualname__
        uuid.uuid4 = uuid4

    def start(self, source):
        self.seed = self.sha256(source).digest()
        self.tasks = 0

    def settle(self, content):
        placeholder = re.compile(self.prefix.encode("ascii") + b"[0-9a-f]{16}")
        found = []
        for id in placeholder.findall(content):
            if id not in found:
                found.append(id)
        if not found:
            return content
        # Numbered by appearance: what was pickled earlier must not show.
        digest = self.sha256(placeholder.sub(lambda id: b"%032x" % found.index(id.group()), content)).digest()
        final = {id: self.sha256(digest + b"%d" % number).hexdigest()[:32] for number, id in enumerate(found)}
        return placeholder.sub(lambda id: final[id.group()].encode("ascii"), content)


class StableHashes:
    """Gives Prefect's tasks hashes in the order of their use, instead of their addresses, as soon as they are imported.

    Only in this process: a pickled set holds its members, not their hashes.
    """

    def __init__(self):
        self.known = {}

    def task(self, task):
        # Keeps the task, too: an address that is used again would bring its old hash with it.
        return self.known.setdefault(id(task), (len(self.known), task))[0]

    def edge(self, edge):
        # Without None, whose hash is an address.
        return hash((self.task(edge.upstream_task), self.task(edge.downstream_task), edge.key or ""))

    def find_spec(self, name, path=None, target=None):
        # Tasks are equal only to themselves, edges when their ends are; the hashes of anything else would be wrong.
        known = {"prefect.core.task": ("Task", self.task, False), "prefect.core.edge": ("Edge", self.edge, True)}
        if name not in known:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                class_name, hash_of, compares = known[name]
                kind = getattr(module, class_name, None)
                if isinstance(kind, type) and (kind.__eq__ is not object.__eq__) == compares:
                    kind.__hash__ = lambda self: hash_of(self)

            spec.loader.exec_module = exec_module
        return spec


def installed(*names):
    """Versions from the packages' metadata: importing Prefect costs a second, importlib.metadata is 3.8's."""
    versions = dict.fromkeys(names)
    for folder in sys.path:
        try:
            entries = sorted(os.listdir(folder))
        except OSError:
            continue
        for entry in entries:
            if entry == "EGG-INFO" or entry.lower().startswith(names) and entry.endswith((".dist-info", ".egg-info")):
                fields = metadata(os.path.join(folder, entry))
                name = fields.get("name", "").lower()
                if name in versions and versions[name] is None:
                    versions[name] = fields.get("version")
    return versions


def metadata(path):
    for file in (os.path.join(path, "METADATA"), os.path.join(path, "PKG-INFO"), path):
        try:
            with open(file, "rb") as lines:
                head = lines.read(65536).decode("utf-8", "replace").replace("\r", "").partition("\n\n")[0]
        except OSError:
            continue
        fields = [line.partition(":") for line in head.split("\n")]
        return {key.lower(): value.strip() for key, _, value in reversed(fields)}
    return {}


def as_loaded(content):
    """A pickle in which MODULE has its other name, wherever it is a string of its own."""
    for opcode in (b"\x8c\x08", b"X\x08\0\0\0"):
        content = content.replace(opcode + MODULE.encode("ascii"), opcode + LOADED.encode("ascii"))
    return content


def mentions(code, name):
    """Whether a function in the code reads the global `name`; the code of the file itself doesn't count."""
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return any(name in each.co_names or mentions(each, name) for each in inner)


def runnable(found):
    """Whether it can be run: an object with `run`, or a callable, but no class, of which the flow is an object."""
    try:
        return not isinstance(found, type) and (callable(found) or callable(getattr(found, "run", None)))
    except BaseException:
        return False


def needed_arguments(flow):
    """Those that have no default. Flows are run without any."""
    import inspect

    run = getattr(flow, "run", None)
    try:
        parameters = inspect.signature(run if callable(run) else flow).parameters.values()
    except (TypeError, ValueError):  # there is none to read
        return []
    return [one.name for one in parameters
            if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]


def is_flow(found):
    return runnable(found) and not isinstance(found, (type, types.FunctionType, types.BuiltinFunctionType))


def public(found):
    return [name for name in getattr(found, "__dict__", {}) if isinstance(name, str) and not name.startswith("_")]


def near(found, name, top):
    import difflib

    names = public(found)
    flows = [other for other in names if is_flow(found.__dict__[other])] if top else []
    return difflib.get_close_matches(name, names, 1) or flows[:5]


def own_name(flow):
    try:
        name = flow.name
    except BaseException:
        return None
    return str(name) if isinstance(name, str) and name else None


def culprit(value, path, dumps, depth=8):
    """The innermost part that can't be pickled, like `flow.tasks[2].connection`: the error itself never says where."""
    for label, part in parts(value):
        try:
            dumps(part)
        except BaseException:
            return culprit(part, path + label, dumps, depth - 1) if depth else path + label
    return path


def parts(value):
    if isinstance(value, dict):
        return [("[%.40r]" % (key,), part) for key, part in value.items()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [("[%d]" % number, part) for number, part in enumerate(value)]
    if isinstance(value, types.FunctionType):
        used = [name for name in value.__code__.co_names if name in value.__globals__]
        cells = zip(value.__code__.co_freevars, value.__closure__ or ())
        closed = [(" -> " + name, cell.cell_contents) for name, cell in cells]
        return closed + [(" -> " + name, value.__globals__[name]) for name in used]
    return [("." + str(name), part) for name, part in getattr(value, "__dict__", {}).items()]


def describe(error):
    """Like the last line of a traceback, and one line always."""
    try:
        message = " ".join(str(error).split())
    except BaseException:
        message = "(an error whose message can't be shown)"
    if len(message) > 1000:
        message = message[:1000] + "..."
    return type(error).__name__ + (": " + message if message else "")


def encodable(paths):
    """A list of paths, if all of them can be told as UTF-8."""
    paths = list(paths)
    try:
        for path in paths:
            path.encode("utf-8")
    except (AttributeError, UnicodeError):
        return None
    return paths


def native(path):
    """Paths come as UTF-8, which is not what every locale makes of them."""
    return os.fsdecode(path.encode("utf-8")) if os.name == "posix" else path


if __name__ == "__main__":
    main()
