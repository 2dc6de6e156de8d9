"""Flowhold's runner: runs one flow, in a container or on this machine.

    python -u -c "$(cat runner.py)" LOCATION [pickle|script]

The exit code is the flow's: that of a script, and for a pickle 0, or 1 when it raised or ended in a failed state.
Output must arrive while the flow runs, but 3.6 can't change a stream's buffering: hence -u where it is called.
Runs on CPython 3.6 and newer with the standard library only, also in images that Prefect 0.6.6 built. Signals keep
Python's own behaviour; as process 1 of a container SIGTERM would have no effect, so start that one with an init.
"""
import os
import sys
import types


def main(location, kind=None):
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)
    sys.excepthook = show_error
    sys.argv[:] = [location]
    with open(location, "rb") as file:
        if kind is None:
            kind = "pickle" if is_pickle(file.read(1)) else "script"
            file.seek(0)
        if kind == "pickle":
            run = load_pickle(file)
        elif kind == "script":
            run = load_script(location, file.read())
        else:
            sys.exit("flowhold: the format of a flow is pickle or script, not %r" % kind)
    run()


def is_pickle(beginning):
    """Pickles since protocol 2 begin with the byte 0x80, and no Python source can, whatever its encoding.

    Nothing else is taken for a pickle: those of protocol 0 and 1 are plain text that no tool writes for flows, and
    trying to load a script could run parts of it. Taken for a script, such a pickle does not compile (it ends in a
    dot), so nothing of it runs; with the format given it does.
    """
    return beginning == b"\x80"


def load_script(location, source):
    """As `python LOCATION` would, but from bytes: the name may have any ending."""
    code = compile(source, location, "exec", dont_inherit=True)
    if sys.path and sys.path[0] == "":
        sys.path[0] = os.path.dirname(os.path.abspath(location))
    module = new_main()
    module.__file__ = location
    return lambda: exec(code, module.__dict__)


def load_pickle(file):
    import pickle

    # A pickle that refers to `__main__` must not find this program there.
    new_main()
    try:
        flow = pickle.load(file)
    except BaseException:
        sys.stderr.write("flowhold: the flow can't be loaded. It needs the packages, and the minor version of Python, that "
                         "it was pickled with; this is Python %d.%d\n" % sys.version_info[:2])
        raise
    run = getattr(flow, "run", None)
    return lambda: finish(run() if callable(run) else flow())


def finish(result):
    if isinstance(result, types.CoroutineType):  # dropped, an async flow would do nothing and look like a success
        result = run_async(result)
    # Prefect does not raise when a task fails: it returns a state that says so.
    is_failed = None if isinstance(result, type) else getattr(result, "is_failed", None)
    if callable(is_failed) and is_failed():
        sys.exit("flowhold: the flow has failed: %r" % (result,))


def run_async(coroutine):
    import asyncio

    if hasattr(asyncio, "run"):
        return asyncio.run(coroutine)
    # Python 3.6. Whatever ends the flow, all of its tasks can clean up.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        tasks = asyncio.Task.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())


def new_main():
    module = types.ModuleType("__main__")
    module.__builtins__ = __builtins__
    sys.modules["__main__"] = module
    return module


def show_error(kind, error, trace):
    """The usual traceback, without the frames of this program."""
    while trace is not None and trace.tb_frame.f_globals is globals():
        trace = trace.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


# Until 3.12 the interpreter only borrows the module that it runs, which new_main() takes out of sys.modules.
OWN_MODULE = sys.modules["__main__"]

if __name__ == "__main__":
    main(*sys.argv[1:3])
