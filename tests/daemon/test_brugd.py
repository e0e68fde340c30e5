"""brugd as an operator meets it: settings, starts that fail, signals, reloads, systemd, time limits."""
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "interop")]
from brug_client import (Client, GoneAway, Refused, cut_varint, delimited, new_header,  # noqa: E402
                         readers_and_copies, referral_fields, seal_nothing)
from relay import HOST, Relay, free_port  # noqa: E402
from tap import expect, main  # noqa: E402
from wire import BUILD, admin, casefile, wire  # noqa: E402

BRUGD = os.path.join(BUILD, "brugd")
EX_OK, EX_USAGE, EX_TEMPFAIL, EX_CONFIG = 0, 64, 75, 78


class World:
    def __init__(self, relay):
        self.relay = relay
        self.town = relay.add_municipality("Voorbeeldstad")
        self.practice = relay.add_organisation("practice", "Huisartsen Kastanjehof", self.town)
        self.team = relay.add_organisation("team", "Sociaal team Voorbeeldstad", self.town)
        self.gp = relay.enrol(self.practice, relay.add_person(self.practice, "M. Linde", "gp"))
        self.guest = relay.enrol(self.practice, relay.add_person(self.practice, "J. Jansen", "gp"))
        self.consultant = relay.enrol(self.team, relay.add_person(self.team, "A. Smit", "consultant"))
        relay.add_recovery(self.practice)
        relay.add_recovery(self.team)

    def connect(self, endpoint, hello=True):
        client = Client(HOST, self.relay.port, endpoint.identity_certificate, endpoint.identity_key,
                        self.relay.relay_ca)
        if hello:
            client.hello()
        return client

    def referral(self, client, size=1024):
        entries, _, _ = client.get_directory(self.town)
        rosters = [wire.Roster.FromString(entries[o].roster) for o in (self.practice.id, self.team.id)]
        readers, copies = readers_and_copies(rosters, self.gp.endpoint)
        return seal_nothing(new_header(casefile.KIND_REFERRAL, self.gp, self.town, self.team.id,
                                       readers, copies, **referral_fields()), size)

    def log_lines(self, pattern):
        with open(self.relay.log, errors="replace") as f:
            return [line for line in f if re.search(pattern, line)]

    def wait_log(self, pattern, count=1):
        deadline = time.monotonic() + 10
        while len(self.log_lines(pattern)) < count:
            assert time.monotonic() < deadline, f"the log has no {pattern}"
            time.sleep(0.02)

    def settings(self, name, change):
        """A copy of the settings file, changed by a function on its text."""
        path = os.path.join(self.relay.folder, name)
        with open(self.relay.config) as f:
            text = change(f.read())
        with open(path, "w") as f:
            f.write(text)
        return path


def brugd(*words, **options):
    return subprocess.run([BRUGD, *words], capture_output=True, text=True, timeout=30, **options)


def one_line(done, status, *parts):
    """It ended with this status and one line of complaint that has these parts."""
    assert done.returncode == status, f"{done.returncode}: {done.stderr}"
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    for part in parts:
        assert part in lines[0], lines[0]


# ---- the command line and the settings ----

def test_command_line(world):
    assert re.fullmatch(r"brugd \d+\.\d+\S*\n", brugd("--version").stdout)
    assert "--check-config" in brugd("--help").stdout
    assert brugd("--nonsense").returncode == EX_USAGE
    assert brugd("word").returncode == EX_USAGE


def test_check_config_prints_values_and_sources(world):
    done = brugd("--check-config", "-c", world.relay.config)
    assert done.returncode == EX_OK and done.stderr == "", done.stderr
    with open(world.relay.config) as f:
        keys = [line.split(" = ")[0] for line in f]
    for number, key in enumerate(keys, 1):
        assert re.search(rf"^{key} = .*   # {re.escape(world.relay.config)}:{number}$", done.stdout, re.M)
    assert re.search(r"^readers_max = 128   # default$", done.stdout, re.M)


def test_check_config_names_the_line(world):
    cases = ((lambda t: "# a comment\n" + t + "lissten = 1\n", "unknown key 'lissten'", -1),
             (lambda t: "idle_ms_max = soon\n" + t, "idle_ms_max is not a whole number", 1),
             (lambda t: "\n\nidle_ms_max = 1\n" + t, "idle_ms_max is out of bounds; write 1000 to", 3),
             (lambda t: re.sub(r'listen = ".*"', 'listen = "localhost:80"', t), "listen: one of its", 1),
             (lambda t: re.sub(r'(relay_key = ").*"', r'\1/nonexistent/key"', t),
              "relay_key: /nonexistent/key cannot be read", 5))
    for change, what, line in cases:
        path = world.settings("changed.conf", change)
        if line < 0:
            with open(path) as f:
                line = len(f.readlines())
        one_line(brugd("--check-config", "--config", path), EX_CONFIG, f"{path}:{line}: ", what)
        if line != 5 and what[:6] != "listen":  # these two are found by whoever uses them
            one_line(brugd("--config", path), EX_CONFIG, f"{path}:{line}: ", what)
    one_line(brugd("-c", "/nonexistent.conf"), EX_CONFIG, "/nonexistent.conf: cannot be read: no such file")


# ---- starts that fail ----

def failing_start(world, status, *parts, change=lambda t: t):
    fresh = os.path.join(world.relay.folder, "fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    os.mkdir(fresh, 0o700)
    path = world.settings("start.conf", lambda t: change(
        t.replace(f'"{world.relay.state}"', f'"{fresh}"').replace(f":{world.relay.port}", ":0")
        .replace("admin.sock", "other.sock")))
    done = brugd("-c", path)
    assert done.returncode == status, f"{done.returncode}: {done.stderr}"
    complaint = done.stderr.strip().splitlines()[-1 if status != EX_OK else 0]
    for part in parts:
        assert part in done.stderr, done.stderr
    return complaint


def test_starts_that_fail_say_why(world):
    r = world.relay
    other = os.path.join(r.folder, "other-relay")
    r.make_pki("relay", other)
    failing_start(world, EX_CONFIG, "relay_certificate", "does not belong to the key",
                  change=lambda t: t.replace(r.path("relay.key"), os.path.join(other, "relay.key")))
    open_key = os.path.join(r.folder, "open.key")
    shutil.copy(r.path("relay.key"), open_key)
    os.chmod(open_key, 0o644)
    failing_start(world, EX_CONFIG, "relay_key", "chmod 600",
                  change=lambda t: t.replace(r.path("relay.key"), open_key))
    failing_start(world, EX_CONFIG, "crl_directory", "no such directory",
                  change=lambda t: t.replace(f'"{r.crls}"', '"/nonexistent"'))
    failing_start(world, EX_TEMPFAIL, "another process uses the store",
                  change=lambda t: t.replace(os.path.join(r.folder, "fresh"), r.state))
    failing_start(world, EX_TEMPFAIL, "listen: ", "another process listens there",
                  change=lambda t: t.replace(f'"{HOST}:0"', f'"{HOST}:{r.port}"'))
    failing_start(world, EX_TEMPFAIL, "admin_socket", change=lambda t: t.replace("other.sock", "admin.sock"))
    open_folder = os.path.join(r.folder, "open")
    os.mkdir(open_folder, 0o755)
    failing_start(world, EX_CONFIG, "its mode must be 0700",
                  change=lambda t: t.replace(os.path.join(r.folder, "fresh"), open_folder))
    with world.connect(world.gp) as c:
        c.ping()  # the running one noticed nothing


# ---- a running one ----

def test_what_the_process_may(world):
    with open(f"/proc/{world.relay.process.pid}/limits") as f:
        assert re.search(r"Max core file size +0 +0 ", f.read())
    for name in ("brug.db", "audit.db"):
        assert os.stat(os.path.join(world.relay.state, name)).st_mode & 0o077 == 0


def test_each_failed_handshake_is_one_line(world):
    before = len(world.log_lines("connection.refused"))
    with socket.create_connection((HOST, world.relay.port), timeout=5) as s:
        s.sendall(b"geboortedatum 01-02-2015\r\n")
        while s.recv(4096):
            pass
        address = "%s:%d" % s.getsockname()
    world.wait_log(rf"connection.refused code=TLS_BROKEN session=\d+ address={address}$")
    assert len(world.log_lines("connection.refused")) == before + 1
    assert not world.log_lines("geboortedatum")


def test_t15_a_frame_cut_off_is_told_and_logged(world):
    for still_listens in (True, False):
        with world.connect(world.guest) as c:
            before = len(world.log_lines("connection.limit code=FRAME_TRUNCATED"))
            c.send_bytes(delimited(wire.ClientFrame(request=9, ping=wire.Ping()))[:-1])
            if still_listens:
                with socket.socket(fileno=os.dup(c.socket.fileno())) as plain:
                    plain.shutdown(socket.SHUT_WR)  # it still listens
                expect(GoneAway, lambda: c.next_delivery(5), name="FRAME_TRUNCATED")
        world.wait_log("connection.limit code=FRAME_TRUNCATED", before + 1)


def test_reload_revokes_and_keeps_sessions(world):
    r = world.relay
    with world.connect(world.gp) as good, world.connect(world.guest) as guest:
        r.make_pki("revoke", world.guest.identity_certificate)
        r.publish_crl()
        loads = len(world.log_lines("trust.loaded"))
        r.process.send_signal(signal.SIGHUP)
        world.wait_log("trust.loaded", loads + 1)
        expect(Exception, lambda: world.connect(world.guest))
        world.wait_log("connection.refused code=TLS_REVOKED")
        good.ping()
        guest.ping()  # a session that was there is the operator's to end, by suspending


def test_reload_of_bad_files_keeps_the_old(world):
    r = world.relay
    bad = os.path.join(r.crls, "bad.pem")
    with open(bad, "w") as f:
        f.write("this is no list\n")
    key = r.path("relay.key")
    os.rename(key, key + ".away")
    r.process.send_signal(signal.SIGHUP)
    world.wait_log(rf"identity.kept .*{re.escape(key)}: no such file")
    world.wait_log(rf"trust.kept .*{re.escape(bad)}: ")
    os.rename(key + ".away", key)
    os.unlink(bad)
    with world.connect(world.gp) as c:
        c.ping()
    expect(Exception, lambda: world.connect(world.guest))  # still revoked
    r.process.send_signal(signal.SIGHUP)
    world.wait_log("trust.loaded", 2)


def test_sigterm_drains(world):
    """What was sent before is answered or comes to nothing; what was answered is there after the start."""
    with world.connect(world.gp) as c:
        letters = [world.referral(c, 20000) for _ in range(60)]
        requests = [c.send(submit=wire.Submit(envelope=e)) for e in letters]
        world.relay.process.send_signal(signal.SIGTERM)
        answered = 0
        try:
            for request in requests:
                assert c.answer(request).message_id
                answered += 1
            c.next_delivery(5)
        except GoneAway as e:
            assert e.name == "SHUTTING_DOWN", e
    assert world.relay.process.wait(20) == EX_OK
    world.relay.start()
    with world.connect(world.gp) as c:
        ids = [casefile_header(e).message_id for e in letters]
        for message_id in ids[:answered]:
            c.track(message_id)  # NO_SUCH_MESSAGE would be raised
        for envelope in letters[answered:]:
            assert c.submit(envelope).message_id


def casefile_header(envelope):
    return wire.Header.FromString(envelope.header)


def test_a_second_signal_ends_it_at_once(world):
    with world.connect(world.gp) as c:
        world.relay.process.send_signal(signal.SIGTERM)
        world.wait_log("daemon.draining", len(world.log_lines("daemon.draining")) or 1)
        expect(GoneAway, lambda: c.next_delivery(5), name="SHUTTING_DOWN")
        world.relay.process.send_signal(signal.SIGINT)
        assert world.relay.process.wait(5) == EX_TEMPFAIL
    world.relay.start()


def test_time_limits_are_told(world):
    world.relay.stop()
    world.relay.write_config(hello_ms_max=300, idle_ms_max=1000)
    world.relay.start()
    with world.connect(world.gp, hello=False) as c:
        expect(GoneAway, lambda: c.next_delivery(5), name="HELLO_TIMEOUT")
    with world.connect(world.gp) as c:
        time.sleep(0.7)
        c.ping()
        begin = time.monotonic()
        expect(GoneAway, lambda: c.next_delivery(5), name="IDLE_TIMEOUT")
        assert 0.5 < time.monotonic() - begin < 3
    world.relay.stop()
    world.relay.write_config(hello_ms_max=5000, idle_ms_max=300000)
    world.relay.start()


# ---- systemd ----

def test_sockets_and_notices_of_systemd(world):
    r = world.relay
    assert r.stop() == EX_OK
    port = free_port()
    path = os.path.join(r.folder, "activated.sock")
    with socket.socket() as tls, socket.socket(socket.AF_UNIX) as admin, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        tls.bind((HOST, port))
        tls.listen(16)
        admin.bind(path)
        admin.listen(16)
        notices.bind(os.path.join(r.folder, "notify"))
        notices.settimeout(20)

        def give_sockets():
            first = [os.dup(s.fileno()) for s in (tls, admin)]
            for number, fd in enumerate(first):
                os.dup2(fd, 3 + number)

        process = subprocess.Popen(
            ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", BRUGD, "-c", r.config],
            env={**os.environ, "LISTEN_FDS": "2", "NOTIFY_SOCKET": os.path.join(r.folder, "notify"),
                 "WATCHDOG_USEC": "10000000"},
            preexec_fn=give_sockets, close_fds=False, stderr=subprocess.DEVNULL)
        try:
            assert notices.recv(4096) == b"READY=1"
            assert notices.recv(4096) == b"WATCHDOG=1"
            expect(OSError, lambda: socket.create_connection((HOST, r.port), timeout=1))
            r.admin_socket, kept = path, r.admin_socket
            assert "sockets of systemd" in r.ctl("status")
            r.admin_socket = kept
            with Client(HOST, port, world.gp.identity_certificate, world.gp.identity_key,
                        r.relay_ca) as c:
                c.hello()
                c.ping()
            process.send_signal(signal.SIGTERM)
            seen = b""
            while seen != b"STOPPING=1":
                seen = notices.recv(4096)
            assert process.wait(20) == EX_OK
            assert os.path.exists(path)  # systemd's to remove
        finally:
            process.kill()
            process.wait()
    r.start()


def test_an_operator_that_does_not_read_waits(world):
    """It gets every answer in the end; meanwhile nothing gathers, and everybody else is served."""
    request = admin.AdminRequest(status=admin.GetStatus()).SerializeToString()
    frame = bytes([len(request)]) + request
    left = frame * 300_000
    with world.connect(world.gp) as c, socket.socket(socket.AF_UNIX) as s:
        s.connect(world.relay.admin_socket)
        s.setblocking(False)
        deadline = time.monotonic() + 4
        while left and time.monotonic() < deadline:
            try:
                left = left[s.send(left):]
            except BlockingIOError:
                began = time.monotonic()
                c.ping()
                assert time.monotonic() - began < 1, "the relay stood still"
        assert len(left) > 400_000, f"the relay took all but {len(left)} bytes of requests"
        s.setblocking(True)
        s.settimeout(20)
        sent = (300_000 * len(frame) - len(left)) // len(frame)
        received, answers = b"", 0
        while answers < sent:
            part = s.recv(1 << 16)
            assert part, f"{answers} of {sent} answers"
            received += part
            while (found := cut_varint(received[:5])) and len(received) >= sum(found):
                received, answers = received[sum(found):], answers + 1


def test_a_full_disk_is_known_from_the_start(world):
    """The first letter of all is refused already, although no commit has told yet how much is free."""
    r = world.relay
    with world.connect(world.gp) as c:
        letter = world.referral(c)
    r.write_config(reserve_bytes=1 << 40)
    r.restart()
    with world.connect(world.gp, hello=False) as c:
        c.send_bytes(delimited(wire.ClientFrame(request=1, hello=wire.Hello(
            protocol_min=1, protocol_max=1))) + delimited(wire.ClientFrame(
                request=2, submit=wire.Submit(envelope=letter))))
        expect(Refused, lambda: c.answer(2), name="FULL")
    del r.settings["reserve_bytes"]
    r.write_config()
    r.restart()
    with world.connect(world.gp) as c:
        c.submit(letter)


def test_a_disk_that_fails_ends_it_before_anything_leaves(world):
    """No file may grow any more (nor the log): the commit fails and nothing is receipted."""
    r = world.relay
    with world.connect(world.gp) as c:
        letter = world.referral(c, 3 << 20)
        resource.prlimit(r.process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        expect(GoneAway, lambda: c.submit(letter))
    status = r.process.wait(10)
    assert status == 74, status
    r.start()
    with world.connect(world.gp) as c:
        assert c.submit(letter).message_id == casefile_header(letter).message_id


TESTS = [value for name, value in list(globals().items()) if name.startswith("test_")]

if __name__ == "__main__":
    with Relay() as relay:
        main(TESTS, World(relay))
