"""What the peers share: arguments, threads, timing, and the one line of JSON that each prints at its end."""

import json
import os
import resource
import sys
import time

WORK = sys.argv[1]
THREADS = int(sys.argv[2])


def load(name):
    with open(os.path.join(WORK, name), encoding="utf-8") as file:
        return json.load(file)


def measure(work):
    """Wall and processor seconds of a call, and what it returns."""
    start, cpu = time.perf_counter(), time.process_time()
    result = work()
    return {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}, result


def report(figures, **more):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({**figures, "peak_memory_kib": peak, **more}))
