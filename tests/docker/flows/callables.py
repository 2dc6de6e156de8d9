"""Things that can be pickled and run, without Prefect."""
import os

GREETING = "hello"


class Report:
    """Has a name and a run(), as Prefect's flows do."""

    def __init__(self, name):
        self.name = name

    def run(self):
        print("report:", self.name)


def greet():
    print(GREETING, os.environ.get("WHO", "nobody"))


def fail():
    raise RuntimeError("out of coffee")


report = Report("monthly report")
