"""Says that it runs, and waits for a file that comes from outside."""
import os
import sys
import time

print("first", flush=False)
print("first on the side", file=sys.stderr)
for _ in range(1200):
    if os.path.exists("/tmp/go"):
        print("second")
        sys.exit(3)
    time.sleep(0.05)
sys.exit("nobody came")
