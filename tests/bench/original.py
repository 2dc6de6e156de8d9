"""Prefect 0.6.6 at the work that Flowhold is compared in. Unmodified but for one line of its Dockerfile, which would
install Prefect from a git server: the same version comes from the package index instead.

    python original.py build FLOW.py SETTINGS.json           builds and pushes, as a script of its user would
    python original.py dockerfile FLOW.py SETTINGS.json DIR  writes the build context
    python original.py many COUNT SETTINGS.json              builds an image of COUNT flows
    python original.py local COUNT DIR                       stores COUNT flows of 2 KB
"""
import json
import os
import re
import runpy
import sys

import prefect
from prefect import Flow, task
from prefect.environments.storage import Docker, Local

assert prefect.__version__ == "0.6.6"


class Storage(Docker):
    """Its Dockerfile with one line replaced."""

    def create_dockerfile_object(self, directory=None):
        super().create_dockerfile_object(directory)
        path = os.path.join(directory or ".", "Dockerfile")
        with open(path) as file:
            text = file.read()
        text, count = re.subn("(?m)^ *RUN pip install -U git.*$", "RUN pip install -U prefect==0.6.6", text)
        assert count == 1, text
        with open(path, "w") as file:
            file.write(text)


def storage(settings):
    with open(settings) as file:
        return Storage(**json.load(file))


def of_user(path):
    # Runs the file as a user would, so that functions are pickled by value.
    return runpy.run_path(path, run_name="__main__")["flow"]


def build(flow, settings):
    built = storage(settings)
    built.add_flow(of_user(flow))
    built.build()


def dockerfile(flow, settings, directory):
    planned = storage(settings)
    planned.add_flow(of_user(flow))
    planned.create_dockerfile_object(directory)


def some_flows(count):
    def work():
        return PADDING

    PADDING = "x" * 900  # with the task around it, a pickle of 2 KB
    for number in range(int(count)):
        with Flow("flow-%d" % number) as flow:
            task(work)()
        yield flow


def many(count, settings):
    built = storage(settings)
    for flow in some_flows(count):
        built.add_flow(flow)
    built.build()


def local(count, directory):
    stored = Local(directory)
    for flow in some_flows(count):
        stored.add_flow(flow)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
