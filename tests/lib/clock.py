"""Programs whose clock is moved, by a library that is loaded before them. A program that ends by itself clears up what the library
made for it; of one that was killed, and of a shell script, this is left, and the next program with its number would stumble over it:
forget(pid).
"""
import contextlib
import glob
import os

# The one that is made for threads. The command that comes with it is of no use here: it leaves a semaphore of its own.
LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), "(no faketime)")
SHARED = "/dev/shm"
# What sanitizers must bear of a library that comes before theirs.
SANITIZERS = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",
              "TSAN_OPTIONS": os.environ.get("TSAN_OPTIONS", "") + ":report_bugs=0"}


def moved(seconds, libraries=(LIBRARY,)):
    """The environment of such a program. What it waits for, it waits for in our time."""
    return {"LD_PRELOAD": ":".join(libraries), "FAKETIME": f"{seconds:+.0f}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def forget(pid):
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(SHARED, name))
