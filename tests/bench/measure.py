"""Runs programs and measures them from outside."""
import os
import subprocess
import tempfile
import threading
import time


class Failed(Exception):
    """A program that should have worked."""


class Done:
    """What a program did, and what it took."""

    def __init__(self, code, seconds, usage, output, error, watch):
        self.code = code
        self.seconds = seconds
        self.cpu = usage.ru_utime + usage.ru_stime
        self.written = usage.ru_oublock * 512
        self.output = output
        self.error = error
        self.peak = watch.peak
        self.temporary = watch.temporary


class Watch(threading.Thread):
    """Looks at a running program: its peak memory, and how large a directory grows meanwhile.

    The memory that `wait4` tells is no use here: it is never less than that of the process that started the program.
    """

    def __init__(self, child, directory):
        super().__init__(daemon=True)
        self.status = "/proc/%d/status" % child
        self.directory = directory
        self.ended = threading.Event()
        self.peak = None
        self.temporary = 0

    def run(self):
        while not self.ended.wait(0.01):
            try:
                with open(self.status) as status:
                    # The last reading counts: the first may be from before the program was loaded.
                    self.peak = next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")), self.peak)
            except OSError:
                pass
            if self.directory:
                self.temporary = max(self.temporary, size_of(self.directory))


def run(command, folder, environment, watch=False, directory=None, may_fail=False):
    """Runs a command to its end, and watches it if that is wanted."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
        began = time.perf_counter()
        child = subprocess.Popen(
            [str(part) for part in command], cwd=folder, env=environment,
            stdin=subprocess.DEVNULL, stdout=output, stderr=error,
        )
        watcher = Watch(child.pid, directory)
        if watch:
            watcher.start()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = code = os.waitstatus_to_exitcode(status)
        watcher.ended.set()
        if watch:
            watcher.join()
        output.seek(0)
        error.seek(0)
        done = Done(code, seconds, usage, output.read(), error.read().decode(errors="replace"), watcher)
    if code != 0 and not may_fail:
        words = done.output.decode(errors="replace")[-1500:]
        raise Failed("%s ended with %d: %s\n%s" % (" ".join(map(str, command)), code, words, done.error[-1500:]))
    return done


class Following:
    """A program that goes on running, and tells what it did in lines."""

    def __init__(self, command, folder, environment):
        self.error = tempfile.TemporaryFile()
        self.child = subprocess.Popen(
            [str(part) for part in command], cwd=folder, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.error,
        )

    def __enter__(self):
        return self

    def next(self):
        """Waits for its next line."""
        line = self.child.stdout.readline()
        if not line:
            self.error.seek(0)
            raise Failed("it ended with %s: %s" % (self.child.wait(), self.error.read().decode(errors="replace")[-1500:]))
        return line

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()
        self.child.stdout.close()
        self.error.close()


def size_of(directory):
    """Bytes of the files below a directory, of which some may vanish meanwhile."""
    total = 0
    for path, _, files in os.walk(directory):
        for name in files:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except OSError:
                pass
    return total
