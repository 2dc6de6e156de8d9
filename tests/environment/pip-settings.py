"""Prints, as ENV instructions, the settings with which pip reaches its package index on this machine.

Only settings that mean the same inside a container: a folder of wheels or a certificate file of this machine does
not, so `find-links` and `cert` stay behind (the image brings its own certificates).
"""

import ast
import os
import subprocess
import sys

PIP = {
    "index-url": "PIP_INDEX_URL",
    "extra-index-url": "PIP_EXTRA_INDEX_URL",
    "trusted-host": "PIP_TRUSTED_HOST",
    "proxy": "PIP_PROXY",
    "timeout": "PIP_DEFAULT_TIMEOUT",
    "default-timeout": "PIP_DEFAULT_TIMEOUT",
    "retries": "PIP_RETRIES",
}
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def pip_settings():
    """Lines look like global.index-url='...' or :env:.timeout='...'; the environment comes last and wins."""
    listing = subprocess.check_output([sys.executable, "-m", "pip", "config", "list"]).decode()
    lines = sorted(listing.splitlines(), key=lambda line: line.startswith(":env:"))
    for line in lines:
        name, _, value = line.partition("=")
        variable = PIP.get(name.rsplit(".", 1)[-1])
        if variable:
            yield variable, " ".join(ast.literal_eval(value).split())


def instruction(name, value):
    for special in '\\"$':
        value = value.replace(special, "\\" + special)
    return 'ENV {}="{}"'.format(name, value)


settings = dict(pip_settings())
settings.update((name, os.environ[name]) for name in PROXIES if os.environ.get(name))
settings["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
for setting in sorted(settings.items()):
    print(instruction(*setting))
