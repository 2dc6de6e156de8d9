"""Runs the cases, and writes the table. `run.sh` sets up what it needs."""
import argparse
import datetime
import json
import os
import pathlib
import platform
import signal
import sys

import cases
import measure
from bench import Bench, shown

# The case, what our figure is compared with, and the goals of issue 5: the most seconds or bytes, the least ratio.
GOALS = [
    ("first", "original", None, 3),
    ("edited", "original", 1.2, 30),
    ("edited: of which Python pickles", None, None, None),
    ("edited, build --watch", "original of edited", 1.2, 30),
    ("unchanged", "original", 0.1, None),
    ("unchanged: before the daemon is asked", None, None, None),
    ("dependency", "original", None, None),
    ("many: first, {flows}", "many: first, 1", None, 1 / 3),
    ("many: {flows}", "many: 1", None, 1 / 3),
    ("many: {flows}, memory", None, None, None),
    ("many: 1 of {flows}", "many: 1", None, 1 / 3),
    ("plan", None, None, None),
    ("plan: memory", None, None, None),
    ("preview", "original", 0.005, 100),
    ("preview: a process that does nothing", None, None, None),
    ("preview, pickling", "original", None, None),
    ("files", "original", None, None),
    ("files: peak memory", "original", 64 << 20, None),
    ("files: copied to the temporary directory", "original", 1 << 20, None),
    ("files: written by the process", "original", None, None),
    ("files, flow edited", "original", None, None),
    ("files, flow edited: peak memory", "original", 64 << 20, None),
    ("local", "original", None, 20),
    ("local", "local: bare write, one sync for all, and rename", None, 0.7),
    ("local", "local: bare write and rename, nothing synced", None, None),
    ("local: the library, flow by flow", "original of local", None, 20),
    ("local: the library, flow by flow", "local: bare write, sync, rename and sync", None, 0.7),
    ("image size", "original", None, 1),
]


def arguments():
    names = [case.__name__ for case in cases.CASES]
    listing = "\n".join("  %-12s%s" % (case.__name__, case.__doc__) for case in cases.CASES)
    parser = argparse.ArgumentParser(
        prog="tests/bench/run.sh", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Compares Flowhold with Prefect 0.6.6.", epilog="cases:\n" + listing)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="which; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured [3]")
    parser.add_argument("--flows", type=int, default=10_000, help="how many flows are many [10000]")
    parser.add_argument("--mebibytes", type=int, default=2048, help="how large the file of `files` is [2048]")
    parser.add_argument("--cold-mounts", action="store_true", help="before each first build of ours, empty the cache "
                        "mounts of the daemon, of all builds: for a daemon that nobody else uses")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("/var/tmp"), help="where files go [/var/tmp]")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("target/bench"),
                        help="where table.md and figures.json go [target/bench]")
    options = parser.parse_args()
    for name in options.cases:
        if name not in names:
            parser.error("no case is called %s; there are %s" % (name, ", ".join(names)))
    options.cases = options.cases or names
    return options


def what_ran(bench):
    """Versions of all that took part."""
    version = json.loads(bench.docker("version", "--format", "{{json .Server}}").output)
    python = measure.run([bench.python, "-W", "ignore", "-c", "import sys, prefect; print(sys.version.split()[0], prefect.__version__)"],
                         bench.folder, bench.environment).output.decode().split()
    return {
        "flowhold": bench.ours("--version", folder=bench.folder).output.decode().strip(),
        "original": "Prefect %s on Python %s" % (python[1], python[0]),
        "daemon": "%s %s, API %s" % (version.get("Platform", {}).get("Name") or "dockerd", version["Version"], version["ApiVersion"]),
        "driver": bench.docker("info", "--format", "{{.Driver}}").output.decode().strip(),
        "base image": bench.base,
        "machine": "%d processors, %s" % (os.cpu_count(), platform.platform()),
        "load": "%.1f before, {:.1f} after" % os.getloadavg()[0],
        "began": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "options": " ".join(sys.argv[1:]) or "none",
    }


def row(bench, case, other, most, least):
    """One line of the table; none where nothing was measured."""
    mine = bench.median(case, "ours")
    if mine is None:
        return None
    unit = next(one["unit"] for one in bench.figures if one["case"] == case)
    if other == "original":
        theirs = bench.median(case, "original")
    elif other and other.startswith("original of "):
        theirs = bench.median(other.removeprefix("original of "), "original")
    else:
        theirs = bench.median(other, "ours") if other else None
    ratio = theirs / mine if theirs is not None and mine else None
    goals, met = [], True
    if most is not None:
        goals.append("at most " + shown(most, unit))
        met = met and mine <= most
    if least is not None:
        goals.append("ratio at least %.3g" % least)
        met = met and ratio is not None and ratio >= least
    verdict = ("met" if met else "NOT MET") if goals else ""
    against = "" if theirs is None else shown(theirs, unit) + ("" if other.startswith("original") else " (%s)" % other)
    count = len(bench.values(case, "ours"))
    return [case, against, shown(mine, unit), "%.2f" % ratio if ratio else "", ", ".join(goals), verdict, str(count)]


def table(bench, facts):
    rows = [["case", "original", "ours", "ratio", "goal", "", "measured"]]
    rows.append(["---"] * len(rows[0]))
    flows = {"flows": bench.options.flows}
    for case, other, most, least in GOALS:
        rows.append(row(bench, case.format(**flows), other, most, least))
    lines = ["| %s |" % " | ".join(cells) for cells in rows if cells]
    sentences = ["- %s: %s" % (case.__name__, case.__doc__) for case in cases.CASES if case.__name__ in bench.options.cases]
    return "\n".join([*lines, "", "Medians. What ran:", "", *["- %s: %s" % fact for fact in facts.items()],
                      "", "Cases:", "", *sentences, ""])


def main():
    options = arguments()
    # SIGTERM raises SystemExit, so that everything is cleaned up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(options)
    failed = []
    try:
        facts = what_ran(bench)
        for case in cases.CASES:
            if case.__name__ not in options.cases:
                continue
            bench.say("%s: %s" % (case.__name__, case.__doc__))
            try:
                case(bench)
            except measure.Failed as error:
                # The other cases are still worth having.
                bench.say(str(error))
                failed.append(case.__name__)
        facts["load"] = facts["load"].format(os.getloadavg()[0])
        if failed:
            facts["FAILED"] = ", ".join(failed)
        text = table(bench, facts)
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "table.md").write_text(text)
        (options.output / "figures.json").write_text(json.dumps({"ran": facts, "figures": bench.figures}, indent=1))
        print(text)
    finally:
        bench.clean()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
