"""Says that it runs, and would run for ten minutes."""
import time

print("sleeping")
time.sleep(600)
