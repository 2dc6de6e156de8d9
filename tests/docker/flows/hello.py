"""Tells what it was given on both streams, and ends with a code of its own."""
import os
import sys

print("hello", os.environ.get("WHO", "nobody"))
print("a word on the side", file=sys.stderr)
sys.exit(7)
