"""A real brugd for tests: in a temporary folder, on a free loopback port, with a development PKI.

    with Relay() as relay:                      # PKI, settings, started and answering
        town = relay.add_municipality("Voorbeeldstad")
        practice = relay.add_organisation("practice", "De Linde", town)
        gp = relay.add_person(practice, "M. van der Linde", "gp")
        laptop = relay.enrol(practice, gp)      # keys, binding, certificates, enrolled
        relay.add_recovery(practice)
        ...
        relay.kill()                            # kill -9
        relay.start()                           # on the same port and store

Ids are 16 bytes, chosen here. Needs brugd and brugctl in $BRUG_BUILD, the openssl command and
certs/make-pki. Nothing is left behind unless BRUG_KEEP is set; a test that failed prints the log.
"""
import base64
import dataclasses
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import clock  # noqa: E402
from wire import BUILD, ROOT, admin, wire  # noqa: E402

HOST = "127.0.0.1"
PORT_MIN = 10000
START_S_MAX = 30
ASK_S = 0.05  # between two questions to a relay: each is a process of its own
STOP_S_MAX = 30
BINDING_LABEL = b"brug/1 binding\0"  # [P-88]
COUNTERSIGNATURE_LABEL = b"brug/1 countersignature\0"  # [P-90]


def text(b):
    return str(uuid.UUID(bytes=b)) if b else ""


def new_id():
    return uuid.uuid4().bytes


def run(*command, data=None):
    """The output of a command; its complaint is raised."""
    with subprocess.Popen(command, stdin=None if data is None else subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        output, complaint = process.communicate(data)
    clock.forget(process.pid)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}: {complaint.decode(errors='replace').strip()}")
    return output


def free_port():
    """Below the ports of outgoing connections: else, while the relay is down, a client that tries to reach it could be given
    this very port, and meet itself."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        end = int(f.read().split()[0])
    while True:
        port = random.randrange(PORT_MIN, end if end > PORT_MIN else 1 << 16)
        with socket.socket() as s:
            try:
                s.bind((HOST, port))
                return port
            except OSError:
                continue  # taken


def armour(label, data):
    body = base64.encodebytes(data).replace(b"\n", b"")
    lines = [body[i:i + 64].decode() for i in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN BRUG {label}-----", *lines, f"-----END BRUG {label}-----", ""])


def from_armour(label, armoured):
    begin, end = f"-----BEGIN BRUG {label}-----", f"-----END BRUG {label}-----"
    return base64.b64decode(armoured.split(begin, 1)[1].split(end, 1)[0])


@dataclasses.dataclass
class Organisation:
    id: bytes
    name: str
    municipality: bytes


@dataclasses.dataclass
class Person:
    id: bytes
    name: str
    role: str


@dataclasses.dataclass
class Endpoint:
    """What a client needs to be this endpoint. `identity` and `sealing` are paths without .pem/.key."""
    organisation: bytes
    person: bytes
    endpoint: bytes
    municipality: bytes
    identity_certificate: str
    identity_key: str
    sealing_certificate: str
    sealing_key: str
    binding: bytes
    answer: "admin.EnrolAnswer"


class Relay:
    def __init__(self, **settings):
        """`settings` are added to brugd's settings file, as they are, text in quotes."""
        self.folder = tempfile.mkdtemp(prefix="brug-")
        self.pki = os.path.join(self.folder, "pki")
        self.crls = os.path.join(self.folder, "crl")
        self.state = os.path.join(self.folder, "state")
        self.log = os.path.join(self.folder, "log")
        self.config = os.path.join(self.folder, "brugd.conf")
        self.admin_socket = os.path.join(self.folder, "admin.sock")
        self.port = free_port()
        self.settings = settings
        self.process = None
        self.count = 0

    def __enter__(self):
        try:
            self.make()
            self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, error, _):
        if self.process:
            self.kill()
        if kind and getattr(error, "code", 1) and os.path.exists(self.log):
            with open(self.log, errors="replace") as f:
                sys.stderr.write("".join(f.readlines()[-100:]))
        if not os.environ.get("BRUG_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- the daemon ----

    def make(self):
        self.make_pki("init")
        os.mkdir(self.crls)
        self.publish_crl()
        os.mkdir(self.state, 0o700)
        self.write_config()

    def make_pki(self, *words):
        """Runs certs/make-pki on this CA: make_pki("revoke", path)."""
        run(os.path.join(ROOT, "certs", "make-pki"), words[0], self.pki, *words[1:])

    def publish_crl(self):
        """Brings the CA's newest revocation list to where the relay reads it (at its start, or on SIGHUP)."""
        shutil.copy(self.path("crl.pem"), self.crls)

    def write_config(self, **settings):
        self.settings.update(settings)
        values = {
            "listen": f"{HOST}:{self.port}",
            "state_directory": self.state,
            "admin_socket": self.admin_socket,
            "relay_certificate": self.path("relay.pem"),
            "relay_key": self.path("relay.key"),
            "crl_directory": self.crls,
            "relay_host": HOST,
            "relay_port": self.port,
            "relay_anchors": self.relay_ca,
            **self.settings,
        }
        with open(self.config, "w") as f:
            for key, value in values.items():
                f.write(f"{key} = " + (f'"{value}"' if isinstance(value, str) else str(value)) + "\n")

    def path(self, name):
        return os.path.join(self.pki, name)

    @property
    def relay_ca(self):
        return self.path("ca.pem")

    def start(self, wait=True, environment=None):
        """Starts brugd; returns when it answers, unless told not to wait."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([os.path.join(BUILD, "brugd"), "--config", self.config],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder, start_new_session=True,
                                            env=environment)
        if wait:
            self.wait_ready()

    def wait_ready(self):
        deadline = time.monotonic() + START_S_MAX
        while not self.answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"brugd ended with {self.process.returncode}: {self.tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"brugd does not answer: {self.tail()}")
            time.sleep(ASK_S)

    def answers(self):
        """Asked over the admin socket, which it opens last and which counts nothing."""
        try:
            self.ctl("status")
        except RuntimeError:
            return False
        return True

    def tail(self):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-5:]).strip()

    def kill(self):
        """kill -9, as a power cut of the process."""
        self.process.kill()
        self.bury()

    def bury(self):
        """Of one that is dying or dead: gone, with what moved its clock. Returns its status."""
        status = self.process.wait()
        clock.forget(self.process.pid)
        self.process = None
        return status

    def stop(self):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_S_MAX)
        self.process = None
        return status

    def restart(self):
        self.kill()
        self.start()

    def ctl(self, *words):
        """Runs brugctl; returns what it printed."""
        return run(os.path.join(BUILD, "brugctl"), "--socket", self.admin_socket, *words).decode()

    # ---- the directory ----

    def add_municipality(self, name, anchor=None):
        municipality = new_id()
        self.ctl("municipality", "add", "--name", name, "--anchor", anchor or self.relay_ca,
                 "--id", text(municipality))
        return municipality

    def add_organisation(self, kind, name, *municipalities):
        o = Organisation(new_id(), name, municipalities[0])
        words = [w for m in municipalities for w in ("--municipality", text(m))]
        self.ctl("org", "add", "--kind", kind, "--name", name, "--id", text(o.id),
                 "--out", self.next_path("invitation"), *words)
        return o

    def add_person(self, organisation, name, role, **options):
        p = Person(new_id(), name, role)
        words = [w for key, value in options.items() for w in ("--" + key, value)]
        self.ctl("person", "add", "--org", text(organisation.id), "--name", name, "--role", role,
                 "--id", text(p.id), "--out", self.next_path("invitation"), *words)
        return p

    def suspend(self, kind, identifier):
        self.ctl(kind, "suspend", text(identifier))

    def resume(self, kind, identifier):
        self.ctl(kind, "resume", text(identifier))

    def next_path(self, what):
        self.count += 1
        return os.path.join(self.folder, f"{what}-{self.count}")

    def enrol(self, organisation, person=None, recovery=False):
        """A new endpoint: of a person, a practice system (person None) or a recovery entry [P-89]."""
        folder = self.next_path("endpoint")
        os.mkdir(folder, 0o700)
        endpoint, request = self.make_request(folder, organisation, person, recovery)
        with open(os.path.join(folder, "request"), "w") as f:
            f.write(armour("REQUEST", request.SerializeToString()))
        answer = self.enrol_request(folder)
        return Endpoint(organisation.id, person.id if person else b"", endpoint,
                        organisation.municipality,
                        *(os.path.join(folder, n) for n in ("identity.pem", "identity.key",
                                                            "sealing.pem", "sealing.key")),
                        request.binding.binding, answer)

    def add_recovery(self, organisation):
        return self.enrol(organisation, recovery=True)

    def make_request(self, folder, organisation, person, recovery):
        endpoint = new_id()
        owner = text(person.id) if person else ""
        uri = f"brug:{text(organisation.id)}/{owner}/{text(endpoint)}"
        name = person.name if person else "herstel" if recovery else "systeem"
        public, requests = {}, {}
        for use in ("identity", "sealing"):
            key = os.path.join(folder, use + ".key")
            run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-out", key)
            os.chmod(key, 0o600)
            public[use] = run("openssl", "pkey", "-in", key, "-pubout", "-outform", "DER")
            requests[use] = run("openssl", "req", "-new", "-key", key, "-utf8", "-outform", "DER",
                                "-subj", f"/O={organisation.name}/CN={name}",
                                "-addext", "subjectAltName=URI:" + uri)
        binding = wire.Binding(version=1, municipality=organisation.municipality,
                               organisation=organisation.id, person=person.id if person else b"",
                               endpoint=endpoint, recovery=recovery, identity_key=public["identity"],
                               sealing_key=public["sealing"],
                               made_at_ms=int(time.time() * 1000)).SerializeToString()
        signature = sign(os.path.join(folder, "identity.key"), BINDING_LABEL + binding)
        return endpoint, admin.EnrolRequest(
            binding=wire.SignedBinding(binding=binding, signature=signature),
            identity_csr=requests["identity"], sealing_csr=requests["sealing"])

    def enrol_request(self, folder):
        """Lets the CA sign what folder/request asks for and enrols it; certificates go into folder."""
        csr, request = os.path.join(folder, "csr"), os.path.join(folder, "request")
        self.ctl("endpoint", "request", request, "--out", csr)
        self.make_pki("sign", os.path.join(csr, "identity.csr"), os.path.join(csr, "sealing.csr"),
                      folder)
        answer = os.path.join(folder, "answer")
        self.ctl("endpoint", "add", request, "--identity", os.path.join(folder, "identity.pem"),
                 "--sealing", os.path.join(folder, "sealing.pem"), "--out", answer)
        with open(answer) as f:
            return admin.EnrolAnswer.FromString(from_armour("ANSWER", f.read()))


def sign(key, data):
    """ECDSA with SHA-256, in DER."""
    return run("openssl", "dgst", "-sha256", "-sign", key, data=data)
