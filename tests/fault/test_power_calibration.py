#!/usr/bin/python3
"""What power_vfs records is what a process calls: the same history on files of the system, under strace, and on a disk in memory.

Compared, call by call and in order, for all files of the directory but brug.lock: writes (name, offset, length), truncations (name,
length; not the bytes), syncs of files (name) and of the directory, files made and files removed; and what SQLite is told about the disk. One
call is not SQLite's and has no counterpart: the store syncs its directory once, by itself, when it made its files.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)
from tests.lib import tap  # noqa: E402

BUILD = os.environ.get("BRUG_BUILD", os.path.join(ROOT, "build", "plain"))
PROGRAM = os.path.join(BUILD, "tests", "fault", "power_calibrate")
CALLS = "openat,pwrite64,pwritev,write,ftruncate,fdatasync,fsync,sync_file_range,fallocate,unlink,unlinkat,rename,mmap"
CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")


def called(trace, directory):
    """The operations in a trace, as power_log_print has them."""
    out, there = [], set()
    fd = re.escape(directory) + r"(?:/([^>]+))?>"
    for line in trace:
        m = CALL.match(line)
        if not m or directory not in line or "brug.lock" in line or int(m[3]) < 0:
            continue
        call, arguments, result = m[1], m[2], int(m[3])
        if call == "openat":
            name = re.search(r'"' + re.escape(directory) + r'/([^"]+)", ([A-Z_|]+)', arguments)
            if name and "O_CREAT" in name[2] and name[1] not in there:
                there.add(name[1])
                out.append(f"create {name[1]}")
        elif call == "unlink":
            name = arguments.strip('"')[len(directory) + 1:]
            there.discard(name)
            out.append(f"delete {name}")
        else:
            name = re.match(r"\d+<" + fd, arguments)
            assert name, f"not understood: {line}"
            last = arguments.rsplit(", ", 2)
            if call == "pwrite64":
                assert int(last[1]) == result, f"a short write: {line}"
                out.append(f"write {name[1]} {last[2]} {last[1]}")
            elif call == "ftruncate":
                out.append(f"truncate {name[1]} {last[1]}")
            elif call in ("fdatasync", "fsync"):
                out.append(f"sync {name[1]}" if name[1] else f"{call}-directory")
            else:
                raise AssertionError(f"a call that the recorder does not know: {line}")
    return out


def strace(history, work):
    directory, trace = os.path.join(work, "files"), os.path.join(work, "trace")
    os.mkdir(directory, 0o700)
    try:
        run = subprocess.run(["strace", "-f", "-y", "-s", "0", "-e", "trace=" + CALLS, "-o", trace, PROGRAM, history, directory],
                             capture_output=True, text=True, env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
    except FileNotFoundError:
        raise AssertionError("strace is missing: `make deps` installs it") from None
    assert run.returncode == 0, f"strace cannot run the program here (is ptrace allowed?): {run.stderr}"
    with open(trace, encoding="utf-8") as f:
        return run.stdout.splitlines(), called(f, directory)


def record(history, work):
    directory = os.path.join(work, "recorded")  # of it the relay's store uses brug.lock
    os.mkdir(directory, 0o700)
    lines = subprocess.run([PROGRAM, history, directory, "record"], check=True, capture_output=True, text=True).stdout.splitlines()
    return lines[:1], lines[1:]


def compare(history, store_syncs):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        asked, calls = strace(history, work)
        disk, log = record(history, work)
    assert asked == disk, f"SQLite was told {asked} of the system's disk and {disk} of ours"
    # SQLite syncs everything by fdatasync; fsync is the store's.
    assert calls.count("fsync-directory") == store_syncs, calls.count("fsync-directory")
    calls = [c.replace("fdatasync-directory", "sync-directory") for c in calls if c != "fsync-directory"]
    for number, (a, b) in enumerate(zip(calls, log)):
        assert a == b, f"operation {number}: called {a}, recorded {b}"
    assert len(calls) == len(log), f"{len(calls)} called, {len(log)} recorded"
    kinds = {}
    for line in log:
        kinds[line.split()[0]] = kinds.get(line.split()[0], 0) + 1
    print(f"# {history}: {len(log)} operations: {kinds}", flush=True)
    return kinds


def outbox():
    kinds = compare("outbox", store_syncs=1)
    assert kinds["sync-directory"] >= 3 and kinds["truncate"] >= 4 and kinds["sync"] > 40


def journal_that_is_truncated():
    """As the client has it."""
    assert compare("truncate-full", store_syncs=0)["sync-directory"] >= 1


def journal_that_is_deleted():
    full, extra = compare("delete-full", store_syncs=0), compare("delete-extra", store_syncs=0)
    assert extra["sync-directory"] > full["sync-directory"], "EXTRA syncs each deletion"


def a_call_left_out_is_seen():
    """The control: of a trace without one of its directory syncs, or without one write, the comparison says so."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        calls, log = strace("delete-extra", work)[1], record("delete-extra", work)[1]
    for kind in "fdatasync-directory", "write":
        less = list(calls)
        less.remove(next(c for c in calls if c.startswith(kind)))
        assert [c.replace("fdatasync-directory", "sync-directory") for c in less] != log


if __name__ == "__main__":
    tap.main([outbox, journal_that_is_truncated, journal_that_is_deleted, a_call_left_out_is_seen])
