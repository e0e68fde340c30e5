"""brugctl with a real relay, as an operator uses it, and as one who mistypes: every complaint is one line that names what
is wrong, changes nothing, and has an exit status of sysexits.h."""
import json
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
from brug_client import delimited  # noqa: E402
from relay import Relay, armour, new_id, run, text  # noqa: E402
from tap import main  # noqa: E402
from wire import BUILD, ROOT, admin, wire  # noqa: E402

EX_OK, EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_SOFTWARE, EX_CANTCREAT, EX_TEMPFAIL = (
    0, 64, 65, 66, 69, 70, 73, 75)
OBJECTS = ("municipality", "org", "person", "endpoint")


class World:
    def __init__(self, relay):
        self.relay = relay
        self.town = relay.add_municipality("Voorbeeldstad")
        self.practice = relay.add_organisation("practice", "Huisartsen Kastanjehof", self.town)
        self.gp = relay.add_person(self.practice, "M. van der Linde", "gp")
        self.laptop = relay.enrol(self.practice, self.gp)
        self.ids = dict(zip(OBJECTS, (self.town, self.practice.id, self.gp.id, self.laptop.endpoint)))

    def ctl(self, *words, socket_path=None):
        return subprocess.run([os.path.join(BUILD, "brugctl"), "--socket", socket_path or self.relay.admin_socket,
                               *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def json(self, *words):
        return json.loads(self.relay.ctl("--json", *words))

    def wait_folded(self):
        deadline = time.monotonic() + 10
        while (status := self.json("status"))["folded_lsn"] < status["lsn"]:
            assert time.monotonic() < deadline, "the relay does not fold"
            time.sleep(0.02)

    def complains(self, status, about, *words, **options):
        """One line on standard error that says `about`, nothing on standard output, that exit status."""
        before = self.json("status")["lsn"] if not options else None
        done = self.ctl(*words, **options)
        assert done.returncode == status, (words, done)
        assert about in done.stderr and done.stderr.count("\n") == 1, (words, done.stderr)
        assert done.stdout == "", (words, done.stdout)
        assert before is None or self.json("status")["lsn"] == before, f"{words} changed something"


def test_help_and_version(world):
    for words in (["--help"], ["org", "--help"], ["--version"]):
        done = world.ctl(*words)
        assert done.returncode == EX_OK and done.stdout and not done.stderr, done
    assert "endpoint suspend" in world.ctl("--help").stdout


def test_status(world):
    status = world.json("status")
    assert status["accepts"] is True and status["durable_lsn"] == status["lsn"] > 0, status
    assert status["tls"].startswith("TLS 1.3") and str(world.relay.port) in status["listening"]
    assert "generation" in world.ctl("status").stdout


def test_wrong_words(world):
    world.complains(EX_USAGE, "say what to do")
    world.complains(EX_USAGE, "no command 'org frobnicate'", "org", "frobnicate")
    world.complains(EX_USAGE, "takes no --role", "org", "list", "--role", "gp")
    world.complains(EX_USAGE, "usage:", "org", "show")
    world.complains(EX_USAGE, "usage:", "status", "now")
    world.complains(EX_USAGE, "--name is missing", "org", "add", "--kind", "team")
    world.complains(EX_USAGE, "'practice' or 'team'", "org", "add", "--name", "x", "--kind", "school")
    world.complains(EX_USAGE, "is not an id", "org", "add", "--name", "x", "--kind", "team", "--municipality", "here")
    world.complains(EX_USAGE, "--role is", "person", "add", "--name", "x", "--org", text(world.practice.id),
                    "--role", "system")
    world.complains(EX_USAGE, "--anchor is missing", "municipality", "add", "--name", "x")


def test_wrong_days(world):
    locum = ["person", "add", "--name", "x", "--org", text(world.practice.id), "--role", "locum"]
    for day in ("soon", "2026-09-31", "2027-02-29", "2026-13-01", "2026-9-1", "26-09-01", " 2026-09-01", "2026-09-01x",
                "1969-12-31", ""):
        world.complains(EX_USAGE, f"--until '{day}' is no date", *locum, "--until", day)
        world.complains(EX_USAGE, f"--from '{day}' is no date", "figures", "--from", day)
    assert world.json(*locum, "--until", "2028-02-29")["until_ms"][:10] in ("2028-02-29", "2028-03-01"), "its end, in UTC"


def test_options_given_twice(world):
    twice = ["--municipality", text(world.town)] * 2
    world.complains(EX_USAGE, "'figures' takes one --municipality", "figures", "--csv", *twice)
    world.complains(EX_USAGE, "'org list' takes one --municipality", "org", "list", *twice)
    world.complains(EX_USAGE, "choose --csv or --json", "figures", "--csv", "--json")
    world.complains(EX_USAGE, "'person list' takes one --org", "person", "list", *["--org", text(world.practice.id)] * 2)
    world.complains(EX_NOINPUT, "is named twice", "org", "add", "--kind", "team", "--name", "x", *twice)


def test_no_relay(world):
    world.complains(EX_UNAVAILABLE, "is brugd running", "status", socket_path="/nonexistent.sock")


def test_lists_and_shows(world):
    for what in OBJECTS:
        rows = world.json(what, "list")
        shown = world.json(what, "show", text(world.ids[what]))
        assert shown in rows, (what, shown, rows)
        assert text(world.ids[what]) in world.ctl(what, "list").stdout
        assert shown["status"] == "active" and shown["by"]["uid"] == os.getuid()
        world.complains(EX_NOINPUT, "", what, "show", text(new_id()))
    assert world.json("person", "list", "--org", text(world.practice.id))
    assert world.json("org", "list", "--municipality", text(world.town))


def test_suspend_and_resume(world):
    for what in OBJECTS:
        assert world.json(what, "suspend", text(world.ids[what]))["status"] == "suspended"
        assert world.json(what, "suspend", text(world.ids[what]))["status"] == "suspended"  # again does no harm
        assert world.json(what, "resume", text(world.ids[what]))["status"] == "active"
        world.complains(EX_NOINPUT, "", what, "suspend", text(new_id()))


def test_what_the_relay_refuses(world):
    there = text(world.practice.id)
    world.complains(EX_DATAERR, "", "org", "add", "--id", there, "--kind", "team", "--name", "Other",
                    "--municipality", text(world.town))
    world.complains(EX_NOINPUT, "", "org", "add", "--kind", "team", "--name", "x", "--municipality", text(new_id()))
    world.complains(EX_NOINPUT, "", "person", "add", "--name", "x", "--org", text(new_id()), "--role", "gp")
    world.complains(EX_DATAERR, "", "person", "add", "--name", "x", "--org", there, "--role", "consultant")
    world.complains(EX_DATAERR, "", "org", "add", "--kind", "team", "--name", "two\nlines", "--municipality",
                    text(world.town))
    relay_certificate = world.relay.path("relay.pem")
    world.complains(EX_DATAERR, "anchor", "municipality", "add", "--name", "x", "--anchor", relay_certificate)
    world.complains(EX_NOINPUT, "cannot read", "municipality", "add", "--name", "x", "--anchor", "/nonexistent")
    world.complains(EX_DATAERR, "no PEM certificate", "municipality", "add", "--name", "x", "--anchor", "/dev/null")


def test_the_same_again_does_no_harm(world):
    words = ["org", "add", "--id", text(new_id()), "--kind", "team", "--name", "Team", "--municipality",
             text(world.town)]
    first = world.json(*words)
    assert world.json(*words) == first


def enrolment(world, name):
    """A request of a new client of the gp, with its certificates; not added yet."""
    folder = world.relay.next_path(name)
    os.mkdir(folder, 0o700)
    _, request = world.relay.make_request(folder, world.practice, world.gp, False)
    path = os.path.join(folder, "request")
    with open(path, "w") as f:
        f.write(armour("REQUEST", request.SerializeToString()))
    world.relay.ctl("endpoint", "request", path, "--out", os.path.join(folder, "csr"))
    run(os.path.join(ROOT, "certs", "make-pki"), "sign", world.relay.pki, os.path.join(folder, "csr", "identity.csr"),
        os.path.join(folder, "csr", "sealing.csr"), folder)
    return folder, request


def add(folder, **other):
    files = {"request": "request", "identity": "identity.pem", "sealing": "sealing.pem", **other}
    paths = {k: v if v.startswith("/") else os.path.join(folder, v) for k, v in files.items()}
    return ["endpoint", "add", paths["request"], "--identity", paths["identity"], "--sealing", paths["sealing"],
            "--out", os.path.join(folder, "answer")]


def test_enrolments_that_no_client_would_believe(world):
    folder, request = enrolment(world, "bad")
    other, _ = enrolment(world, "other")
    world.complains(EX_DATAERR, "", *add(folder, identity=os.path.join(other, "identity.pem")))
    world.complains(EX_DATAERR, "", *add(folder, sealing=os.path.join(other, "sealing.pem")))
    world.complains(EX_DATAERR, "", *add(folder, identity="sealing.pem"))
    world.complains(EX_DATAERR, "not the request of a client", *add(folder, request="identity.pem"))
    world.complains(EX_USAGE, "--identity is missing", "endpoint", "add", os.path.join(folder, "request"))
    forged = admin.EnrolRequest()
    forged.CopyFrom(request)
    forged.binding.signature = forged.binding.signature[:-1] + bytes([forged.binding.signature[-1] ^ 1])
    cut = admin.EnrolRequest.FromString(request.SerializeToString())
    cut.binding.binding = cut.binding.binding[:-9]
    stranger = admin.EnrolRequest.FromString(request.SerializeToString())
    binding = wire.Binding.FromString(stranger.binding.binding)
    binding.organisation = new_id()
    stranger.binding.binding = binding.SerializeToString()
    for name, bad in (("forged", forged), ("cut", cut), ("stranger", stranger)):
        path = os.path.join(folder, name)
        with open(path, "w") as f:
            f.write(armour("REQUEST", bad.SerializeToString()))
        world.complains(EX_NOINPUT if bad is stranger else EX_DATAERR, "", *add(folder, request=path))
    assert not os.path.exists(os.path.join(folder, "answer"))
    done = world.ctl(*add(folder))
    assert done.returncode == EX_OK and "telephone" in done.stdout, done
    assert world.ctl(*add(folder)).returncode == EX_CANTCREAT  # a file that is there is never overwritten


def test_a_certificate_of_another_ca(world):
    folder, _ = enrolment(world, "foreign")
    elsewhere = world.relay.next_path("ca")
    make_pki = os.path.join(ROOT, "certs", "make-pki")
    run(make_pki, "init", elsewhere)
    signed = os.path.join(folder, "foreign")
    run(make_pki, "sign", elsewhere, os.path.join(folder, "csr", "identity.csr"),
        os.path.join(folder, "csr", "sealing.csr"), signed)
    world.complains(EX_DATAERR, "", *add(folder, identity=os.path.join(signed, "identity.pem"),
                                         sealing=os.path.join(signed, "sealing.pem")))


def test_garbage_on_the_socket_leaves_it_serving(world):
    for garbage in (b"\x00", b"\xff" * 100, b"\x05hello", os.urandom(5000), b"\x80\x80\x40" + b"x" * 100_000):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(world.relay.admin_socket)
            try:
                s.sendall(garbage)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
    assert world.json("status")["accepts"] is True


class Answers:
    """A relay of another version, or a broken one: it answers one request after the other with these, and the last for ever."""

    def __init__(self, world, *answers):
        self.path, self.answers, self.asked = world.relay.next_path("socket"), list(answers), 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return  # it was shut down
            with s:
                s.recv(1 << 16)
                s.sendall(delimited(self.answers[min(self.asked, len(self.answers) - 1)]))
                self.asked += 1

    def complains(self, world, about, *words):
        done = subprocess.run([os.path.join(BUILD, "brugctl"), "--socket", self.path, *words], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=30)
        assert done.returncode == EX_SOFTWARE and about in done.stderr and done.stdout == "", (words, done)


def recovered(**page):
    return admin.AdminAnswer(recovered=admin.RecoveredPage(**page))


def test_answers_that_do_not_end(world):
    """Nothing is taken for whole, and nothing goes on for ever; half a file is taken away."""
    binding = wire.SignedBinding(binding=wire.Binding(organisation=world.practice.id).SerializeToString())
    entry = admin.AdminAnswer(entry=wire.OrganisationEntry(name="x", endpoints=[wire.EndpointEntry(binding=binding)]))
    cursor = {"next_message": new_id(), "next_organisation": new_id()}
    other, out = admin.AdminAnswer(invitation=b"x"), world.relay.next_path("recovered")
    for about, *pages in (("where the next page begins", recovered()),
                          ("where the next page begins", recovered(next_message=new_id())),
                          ("where the next page begins", recovered(**cursor), recovered()),
                          ("do not go on", recovered(**cursor)),
                          ("holds no page", other)):
        with Answers(world, entry, *pages) as answers:
            answers.complains(world, about, "recover", text(world.practice.id), "--out", out)
        assert not os.path.exists(out), about
    for about, answer, *words in (
            ("holds no list", other, "org", "list"),
            ("does not end", admin.AdminAnswer(objects=admin.Objects(next=new_id())), "org", "list"),
            ("releases nothing", admin.AdminAnswer(release=admin.ReleaseAnswer(left=1)), "endpoint", "release",
             text(world.laptop.endpoint))):
        with Answers(world, answer) as answers:
            answers.complains(world, about, *words)


def test_words_are_those_of_brug(world):
    """In every answer, whatever list they are of: small letters, '-' between; a value of a later version is its number."""
    refused = [admin.CodeCount(code=code, count=1) for code in (wire.CODE_NO_SUCH_CASE, 9999)]
    with Answers(world, admin.AdminAnswer(status=admin.DaemonStatus(refused=refused))) as answers:
        done = subprocess.run([os.path.join(BUILD, "brugctl"), "--socket", answers.path, "--json", "status"],
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    assert [c["code"] for c in json.loads(done.stdout)["refused"]] == ["no-such-case", "9999"], done
    world.complains(EX_USAGE, "--role is", "person", "add", "--name", "x", "--org", text(world.practice.id), "--role", "none")


def test_the_books(world):
    """They balance, at once and while others ask; a changed byte of the audit file is found and named."""
    table = world.ctl("account")
    assert table.returncode == EX_OK and "\nbalanced: " in table.stdout and "quarantined" in table.stdout, table
    books = world.json("account")
    assert books["balanced"] is True and books["lsn"] == world.json("status")["lsn"], books
    askers = [subprocess.Popen([os.path.join(BUILD, "brugctl"), "--socket", world.relay.admin_socket, "account"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(8)]
    for asker in askers:
        out, complaint = asker.communicate()
        assert (asker.returncode == EX_OK and "balanced" in out) or (
            asker.returncode == EX_TEMPFAIL and "try again later" in complaint), (asker.returncode, out, complaint)
    for n in range(40):  # so that the damaged page is not that of the last row, which a start reads
        world.relay.add_organisation("practice", f"Praktijk {n}", world.town)
    world.wait_folded()
    world.relay.stop()
    path = os.path.join(world.relay.state, "audit.db")
    name = "M. van der Linde".encode()
    with open(path, "r+b") as f:
        content = f.read()
        assert name in content
        f.seek(content.rindex(name))  # what is before may be left over in an upper page
        f.write(b"N")
    world.relay.start()
    done = world.ctl("account")
    assert done.returncode == 1 and "NOT balanced" in done.stdout and "the audit chain is not whole" in done.stderr, done


def test_more_administrators_than_there_is_room_for(world):
    idle = []
    try:
        for _ in range(40):
            s = socket.socket(socket.AF_UNIX)
            s.connect(world.relay.admin_socket)
            idle.append(s)
    finally:
        for s in idle:
            s.close()
    deadline = time.monotonic() + 10
    while world.ctl("status").returncode != EX_OK:
        assert time.monotonic() < deadline, "brugd does not answer any more"


if __name__ == "__main__":
    with Relay() as relay:
        main([f for name, f in list(globals().items()) if name.startswith("test_")], World(relay))
