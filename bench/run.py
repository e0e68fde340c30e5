#!/usr/bin/python3
"""run.py: the relay and the floor, side by side, in interleaved rounds; one table of medians and ratios.

  bench/run.py                     what `make bench` runs: within five minutes
  bench/run.py --full              the same for hours that are quiet: longer cells, 5,000 idle, a backlog of 1M
  bench/run.py --table FILE        prints the table of an earlier run from its JSON
  bench/run.py --table FILE --into doc/performance.md     and puts it where the document has its figures

Exit 0: measured, and nothing was lost. Results: the table on stdout, and with --out NAME in NAME.txt and
NAME.json. See doc/performance.md.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from server import BUILD, Failed, Floor, Place, Relay, program  # noqa: E402

KIB = 1024


class Cell:
    def __init__(self, name, mode, inline=False, fresh=False, **options):
        """`inline`: the floor's better way for one at a time. `fresh`: nothing may wait when it begins."""
        self.name, self.mode, self.inline, self.fresh, self.options = name, mode, inline, fresh, options


def publish(size, connections, in_flight):
    return Cell(f"publish {size} KiB {connections} x {in_flight}", "publish", fresh=True,
                inline=connections * in_flight == 1, bytes=size * KIB, connections=connections, in_flight=in_flight)


def deliver(size, connections, in_flight, readers, targets):
    to = f"{readers} reader{'s' * (readers > 1)}" + (f" of {targets}" if targets > 1 else "")
    return Cell(f"deliver {size} KiB {connections} x {in_flight}, {to}", "deliver", bytes=size * KIB,
                connections=connections, in_flight=in_flight, readers=readers, targets=targets)


CELLS = [
    Cell("one at a time 1 KiB", "turns", inline=True, fresh=True),
    deliver(1, 1, 256, 1, 1),
    deliver(1, 8, 64, 1, 4),
    deliver(1, 8, 64, 2, 1),
    deliver(1, 8, 64, 10, 1),
    deliver(16, 8, 16, 1, 4),
    deliver(256, 1, 16, 1, 1),
    *(publish(1, c, w) for c in (1, 8) for w in (1, 16, 256)),
    publish(16, 1, 16), publish(16, 8, 16), publish(16, 8, 256),
    publish(256, 1, 1), publish(256, 8, 16),
    Cell("new connections, 8 at once", "connect", connections=8, fresh=True),
]


# ---- measuring ----

class Bench:
    def __init__(self, place, options):
        self.place, self.options = place, options
        self.relay, self.floor = Relay(place), Floor(place)
        self.rounds = []   # one {cell: {server: report}} each
        self.once = {}     # what is measured once
        self.failures = []
        self.began = time.monotonic()

    def say(self, text, end="\n"):
        if sys.stderr.isatty():
            print("\r\033[K" + text, end=end, file=sys.stderr, flush=True)

    def attempt(self, server, cell):
        self.say(f"round {len(self.rounds) + 1}, {server.name}: {cell.name}", end="")
        try:
            return self.place.load(server, cell.mode, seconds=self.options.seconds, retry=5, **cell.options)
        except Failed as e:
            self.failures.append(str(e))
            print(f"FAILED: {e}", file=sys.stderr, flush=True)
            return None

    def run_relay(self, cell):
        if cell.fresh or self.relay.process is None:
            self.relay.kill()
            self.relay.start()
        return self.attempt(self.relay, cell)

    def run_floor(self, cell):
        self.floor.start("inline" if cell.inline else "thread")
        try:
            return self.attempt(self.floor, cell)
        finally:
            self.floor.kill()

    def run_round(self, cells):
        """Cell by cell, so that both servers see the same minute of the machine; who begins alternates."""
        results = {}
        self.rounds.append(results)
        for n, cell in enumerate(cells):
            order = [("relay", self.run_relay), ("floor", self.run_floor)]
            for name, measure in order if (n + len(self.rounds)) % 2 else order[::-1]:
                report = measure(cell)
                if report:
                    results.setdefault(cell.name, {})[name] = report
        self.relay.kill()

    def run_idle(self):
        """Bytes for each idle connection, of a server that did nothing else."""
        count = self.options.idle
        cell = Cell(f"{count} idle connections", "idle", connections=count, hold=1)
        self.relay.start()
        self.once[cell.name] = {"relay": self.attempt(self.relay, cell)}
        self.relay.kill()
        self.once[cell.name]["floor"] = self.run_floor(cell)

    def restart(self, fresh):
        """Seconds from the start to READY and to a first receipt; a client waits and tries all the time."""
        first = {}

        def ask():
            try:
                first.update(json.loads(waiting.communicate()[0]))
            except ValueError:
                first["error"] = "no receipt"
        waiting = subprocess.Popen(self.place.load_command(
            argparse.Namespace(port=self.relay.port, pid=None), "publish", messages=1, retry=120, patience=60),
            stdout=subprocess.PIPE, text=True)
        thread = threading.Thread(target=ask)
        thread.start()
        began = time.monotonic()
        ready = self.relay.start(fresh=fresh)
        thread.join()
        if "first_receipt_at_s" not in first:
            raise Failed(f"no receipt after a restart: {first}")
        return {"ready_s": ready, "first_receipt_s": first["first_receipt_at_s"] - began}

    def run_backlog(self):
        """N wait, kill -9, start; then every one of them must come."""
        count = self.options.backlog
        run = f"{time.time_ns() & (2**63 - 1):x}"
        self.say(f"backlog of {count}", end="")
        try:
            self.relay.kill()
            none = self.restart(fresh=True)
            self.relay.kill()
            self.relay.start()
            filled = self.place.load(self.relay, "publish", connections=8, in_flight=256, messages=count, run=run)
            self.relay.kill()
            some = self.restart(fresh=False)
            drained = self.place.load(self.relay, "drain", connections=8, messages=count, run=run)
            self.once["backlog"] = {"messages": count, "none": none, "some": some, "fill_rate": filled["rate"],
                                    "drain_rate": drained["rate"]}
        except Failed as e:
            self.failures.append(str(e))
            print(f"FAILED: {e}", file=sys.stderr, flush=True)
        finally:
            self.relay.kill()

    def run(self):
        cells = [c for c in CELLS if self.options.only in c.name]
        if self.options.idle:
            self.run_idle()
        if self.options.backlog:
            self.run_backlog()
        before_rounds = time.monotonic()
        for n in range(self.options.rounds):
            self.run_round(cells)
            now = time.monotonic()
            if now - self.began + (now - before_rounds) / (n + 1) > self.options.budget:
                break  # another one would not fit
        self.say("", end="")

    def kill(self):
        self.relay.kill()
        self.floor.kill()

    def result(self):
        return {"about": about(self.place, self.options), "rounds": self.rounds, "once": self.once,
                "failures": self.failures, "seconds": round(time.monotonic() - self.began)}


# ---- about the machine ----

def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, IndexError):
        return "unknown"


def processor():
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def about(place, options):
    return {
        "command": " ".join(["bench/run.py", *sys.argv[1:]]),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "brugd": first_line(program("brugd"), "--version"),
        "openssl": first_line("openssl", "version"),
        "kernel": platform.release(),
        "processor": f"{os.cpu_count()} x {processor()}",
        "load": f"{os.getloadavg()[0]:.1f}",
        "disk": f"{place.disk or 'unknown'} ({place.filesystem})",
        "seconds_each": options.seconds,
    }


# ---- the table ----

def values(rounds, cell, server, key):
    return [r[cell][server][key] for r in rounds if key in r.get(cell, {}).get(server, {})]


def number(v):
    if v is None:
        return "–"
    if v >= 10000:
        return f"{v / 1000:.1f}k"
    return f"{v:.0f}" if v >= 100 else f"{v:.1f}" if v >= 10 else f"{v:.2f}"


def spread(found):
    if not found:
        return "–"
    return f"{number(statistics.median(found))} ({number(min(found))}–{number(max(found))})"


def ratio(rounds, cell, key):
    """The median of the rounds' own ratios, relay to floor."""
    pairs = [(r[cell]["relay"].get(key), r[cell]["floor"].get(key)) for r in rounds
             if {"relay", "floor"} <= set(r.get(cell, {}))]
    found = [a / b for a, b in pairs if a and b]
    return f"{statistics.median(found):.2f}" if found else "–"


def grid(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def middle(found, unit=1):
    return number(statistics.median(found) / unit) if found else "–"


def p99_ms(rounds, cell, server):
    """Until the last thing that the cell waits for."""
    for key in ("deliver_p99_us", "confirm_p99_us", "open_p99_us"):
        found = values(rounds, cell, server, key)
        if found:
            return middle(found, 1000)
    return "–"


def rates(rounds, names):
    both = ("relay", "floor")
    rows = [[name, *(spread(values(rounds, name, s, "rate")) for s in both), ratio(rounds, name, "rate"),
             *(" / ".join(middle(values(rounds, name, s, key)) for s in both)
               for key in ("server_cpu_us_each", "device_bytes_each")),
             " / ".join(p99_ms(rounds, name, s) for s in both)] for name in names]
    return grid(["each second", "relay (min–max)", "floor (min–max)", "relay/floor", "server CPU us each, relay / floor",
                 "device bytes each", "p99 ms"], rows)


def latencies(rounds, name):
    rows = []
    for key, title in (("confirm_p50_us", "confirm p50"), ("confirm_p99_us", "confirm p99"),
                       ("confirm_max_us", "confirm max"), ("deliver_p50_us", "delivered p50"),
                       ("deliver_p99_us", "delivered p99"), ("deliver_max_us", "delivered max")):
        rows.append([title, *(spread(values(rounds, name, s, key)) for s in ("relay", "floor")),
                     ratio(rounds, name, key)])
    return grid(["one at a time, 1 KiB, us", "relay (min–max)", "floor (min–max)", "relay/floor"], rows)


def once_lines(once):
    lines = []
    for name, found in once.items():
        if name == "backlog":
            lines.append(f"Backlog of {found['messages']:,} messages: filled at {number(found['fill_rate'])}/s, kill -9, "
                         f"READY after {found['some']['ready_s']:.2f} s (with none {found['none']['ready_s']:.2f} s), "
                         f"first receipt after {found['some']['first_receipt_s']:.2f} s "
                         f"(with none {found['none']['first_receipt_s']:.2f} s), "
                         f"drained at {number(found['drain_rate'])}/s.")
        else:
            each = [f"{found[s]['memory_bytes_each']:,} bytes each ({s})" for s in ("relay", "floor") if found[s]]
            lines.append(f"{name}: {', '.join(each)}.")
    return lines


def table(result):
    a, rounds = result["about"], result["rounds"]
    names = [c.name for c in CELLS if any(c.name in r for r in rounds)]
    turns = [n for n in names if n.startswith("one at")]
    lines = [f"`{a['command']}`, {a['date']}: {len(rounds)} interleaved rounds of {a['seconds_each']} s a cell, "
             f"{result['seconds']} s in all; medians.",
             f"{a['processor']}, Linux {a['kernel']}, load {a['load']} after it; disk {a['disk']}; "
             f"{a['brugd']}; {a['openssl']}.", ""]
    lines += rates(rounds, [n for n in names if n not in turns])
    for name in turns:
        lines += ["", *latencies(rounds, name)]
    lines += ["", *once_lines(result["once"])]
    lines += [f"FAILED: {f}" for f in result["failures"]]
    return "\n".join(lines) + "\n"


def put_into(path, name, text):
    """Replaces what stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->` of a document."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    with open(path) as f:
        whole = f.read()
    before, rest = whole.split(begin)
    after = rest.split(end)[1]
    with open(path, "w") as f:
        f.write(before + begin + text.strip() + "\n" + end + after)


# ---- the start ----

def arguments():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--rounds", type=int, default=3, help="interleaved rounds (3)")
    a.add_argument("--seconds", type=float, default=1.0, help="of each cell (1)")
    a.add_argument("--budget", type=float, default=240, help="seconds that all rounds fit in (240)")
    a.add_argument("--idle", type=int, default=2000, help="idle connections (2000); 0: none")
    a.add_argument("--backlog", type=int, default=100_000, help="waiting messages at a restart (100000); 0: none")
    a.add_argument("--only", default="", help="cells whose name holds this")
    a.add_argument("--full", action="store_true", help="5 rounds of 5 s, 5000 idle, a backlog of a million")
    a.add_argument("--folder", help="where the data lie (the build folder)")
    a.add_argument("--out", help="writes NAME.txt and NAME.json")
    a.add_argument("--table", metavar="FILE", help="prints the table of this JSON, measures nothing")
    a.add_argument("--into", metavar="DOCUMENT", help="puts the table between its marks `figures`")
    options = a.parse_args()
    if options.full:
        options.rounds, options.seconds, options.budget = 5, 5.0, 7200.0
        options.idle, options.backlog = 5000, 1_000_000
    return options


def measure(options):
    with Place(options.idle, options.folder) as place:
        if place.filesystem in ("tmpfs", "ramfs"):
            raise Failed(f"{place.parent} is in memory, where a sync costs nothing: name a disk with --folder")
        bench = Bench(place, options)
        try:
            bench.run()
        finally:
            bench.kill()
        return bench.result()


def main():
    options = arguments()
    try:
        if options.table:
            with open(options.table) as f:
                result = json.load(f)
        else:
            result = measure(options)
    except Failed as e:
        print(f"run.py: {e}", file=sys.stderr)
        return 2
    text = table(result)
    print(text, end="")
    if options.into:
        put_into(options.into, "figures", text)
    if options.out:
        with open(options.out + ".txt", "w") as f:
            f.write(text)
        with open(options.out + ".json", "w") as f:
            json.dump(result, f, indent=1)
        print(f"written: {options.out}.txt and {options.out}.json")
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
