"""A flow that needs nothing but Python."""
import os
import platform

name = os.environ.get("NAME", "world")
print(f"Hello, {name}, from Python {platform.python_version()}")
