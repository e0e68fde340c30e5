#!/usr/bin/python3
"""profile.py: where the relay's time goes, as tables for doc/performance.md.

  bench/profile.py [--seconds S] [--into doc/performance.md]      8 x 64, 1 KiB, end to end, under perf record, then under strace -c -f

CPU by thread and by part: a part is a floor of the source (daemon/core, proto, ...) or a library. Needs perf
and strace, and the rights to use them; what is missing is said and left out.
"""
import argparse
import collections
import glob
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from run import grid, put_into  # noqa: E402
from server import BUILD, Place, Relay, program  # noqa: E402

LOAD = {"connections": 8, "in_flight": 64, "targets": 4}
SHARE_MIN = 0.5  # per cent
CALLS_MIN = 0.005  # each message


def parts():
    """{function: floor of the source} of our own; of a static name that several floors have: "ours, several"."""
    found = {}
    for archive in glob.glob(os.path.join(BUILD, "lib*.a")):
        floor = os.path.basename(archive)[3:-2].replace("-", "/")
        if floor in ("brug", "test"):
            continue
        listed = subprocess.run(["nm", archive], capture_output=True, text=True).stdout
        for name in re.findall(r"^[0-9a-f]+ [tT] (\S+)$", listed, re.M):
            found[name] = floor if found.get(name, floor) == floor else "ours, several"
    return found


def part_of(ours, library, symbol):
    name = os.path.basename(library)
    if name == "brugd":
        return "generated protobuf" if symbol.startswith("brug__") else ours.get(symbol, "brugd")
    if name.startswith("[") or name.endswith(".ko"):
        return "kernel"
    return re.sub(r"\.so.*", "", name)


def sampled(data):
    """[(thread id, library, symbol, weight)], one for each sample."""
    listed = subprocess.run(["perf", "script", "-i", data, "-F", "tid,period,ip,sym,dso"],
                            capture_output=True, text=True).stdout
    line = re.compile(r"\s*(\d+)\s+(\d+)\s+[0-9a-f]+ (.+) \((.+)\)$")
    return [(int(m[1]), m[4], m[3], int(m[2])) for m in map(line.match, listed.splitlines()) if m]


def perf(place, seconds):
    relay, data = Relay(place), place.path("perf.data")
    relay.start()
    main_thread = relay.pid  # network and core; the store has a thread of its own
    recorder = subprocess.Popen(["perf", "record", "-q", "-F", "997", "-o", data, "-p", str(relay.pid)],
                                stderr=subprocess.PIPE)
    try:
        report = place.load(relay, "deliver", seconds=seconds, **LOAD)
    finally:
        relay.stop()
        said = recorder.communicate()[1].decode().strip()
    samples = sampled(data) if os.path.exists(data) else []
    if not samples:
        return [f"perf recorded nothing: {said}"]
    ours, total = parts(), sum(weight for *_, weight in samples) / 100
    by_part, by_symbol = collections.defaultdict(lambda: [0.0, 0.0]), collections.Counter()
    for thread, library, symbol, weight in samples:
        part = part_of(ours, library, symbol)
        by_part[part][thread != main_thread] += weight / total
        if symbol != "[unknown]":
            by_symbol[f"`{symbol}`", part] += weight / total
    rows = [[part, f"{of[0]:.1f}", f"{of[1]:.1f}", f"{sum(of):.1f}"]
            for part, of in sorted(by_part.items(), key=lambda item: -sum(item[1])) if sum(of) >= SHARE_MIN]
    sums = [sum(of[i] for of in by_part.values()) for i in (0, 1)]
    rows.append(["all", f"{sums[0]:.1f}", f"{sums[1]:.1f}", "100"])
    lines = [f"At {report['rate']:.0f} messages/s, {report['server_cpu_us_each']:.1f} us of CPU each; per cent of it:",
             "", *grid(["part", "thread of network and core", "thread of the store", "sum"], rows), "",
             "The dearest functions:", ""]
    return lines + grid(["function", "part", "%"],
                        [[s, p, f"{share:.1f}"] for (s, p), share in by_symbol.most_common(20)])


def strace(place, seconds):
    relay, out = Relay(place), place.path("strace")
    relay.start()
    tracer = subprocess.Popen(["strace", "-c", "-f", "-q", "-o", out, "-p", str(relay.pid)], stderr=subprocess.PIPE)
    try:
        report = place.load(relay, "deliver", seconds=seconds, **LOAD)
    finally:
        relay.stop()
        said = tracer.communicate()[1].decode().strip()
    if not os.path.exists(out):
        return [f"strace counted nothing: {said}"]
    rows = []
    with open(out) as f:
        for line in f:
            words = line.split()
            if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
                each = int(words[3]) / report["confirmed"]
                if each >= CALLS_MIN:
                    rows.append([f"`{words[-1]}`", words[3], f"{each:.3f}", words[0]])
    return [f"Calls of the system while {report['confirmed']:.0f} messages went through (slower, as strace stops every call):",
            "", *grid(["call", "count", "each message", "% of the time in calls"], rows)]


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--seconds", type=float, default=8)
    a.add_argument("--into", metavar="DOCUMENT", help="puts the tables between its marks `profile`")
    options = a.parse_args()
    lines = []
    with Place() as place:
        for tool, measure in (("perf", perf), ("strace", strace)):
            lines += measure(place, options.seconds) if shutil.which(tool) else [f"{tool} is not installed"]
            lines.append("")
    print("\n".join(lines), end="")
    if options.into:
        put_into(options.into, "profile", "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
