"""The two servers that are measured, in a temporary folder beside the build, so on the same disk.

    with Place(idle=1000) as place:         # PKI, and a world that brug-bench enrolled at a relay
        relay = Relay(place); relay.start()  # with the world and an empty outbox
        report = place.load(relay, "deliver", connections=8, in_flight=64)
        relay.stop()

Needs brugd, brug-bench and brug-floor in $BRUG_BUILD, certs/make-pki and the openssl command.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BRUG_BUILD", os.path.join(ROOT, "build", "plain"))
HOST = "127.0.0.1"
SENDERS = 8
START_S_MAX = 120
# Publishing without readers must not end at a quota; nothing else differs from what is delivered.
SETTINGS = {"quota_messages_max": 1_000_000_000, "quota_bytes_max": 1 << 45, "waiting_max": 1_000_000_000,
            "waiting_bytes_max": 1 << 45, "log_level": "warning"}


class Failed(Exception):
    """A load that lost something, or could not be made."""


def program(name):
    return os.path.join(BUILD, name)


def free_port():
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def is_ready(notifications):
    """Waits a moment for what systemd would be told."""
    try:
        return b"READY=1" in notifications.recv(4096)
    except TimeoutError:
        return False


# ---- the disk ----

def mount_of(path):
    """(file system, device number) of where a path lies."""
    number = os.stat(path).st_dev
    number = f"{os.major(number)}:{os.minor(number)}"
    with open("/proc/self/mountinfo") as f:
        for line in f:
            words = line.split()
            if words[2] == number:
                return words[words.index("-") + 1], number
    return "unknown", number


def disk_of(path):
    """The name in /sys/block of the disk that holds a path; None where the kernel does not say."""
    real = os.path.realpath(f"/sys/dev/block/{mount_of(path)[1]}")
    if not os.path.exists(real):
        return None
    if os.path.exists(os.path.join(real, "partition")):
        real = os.path.dirname(real)
    return os.path.basename(real)


# ---- the place ----

class Place:
    """A folder with the PKI and an enrolled world; `state` as it was when everybody was enrolled."""

    def __init__(self, idle=0, folder=None):
        os.makedirs(folder or BUILD, exist_ok=True)
        self.parent = folder or BUILD
        self.idle = idle
        self.filesystem = mount_of(self.parent)[0]
        self.disk = disk_of(self.parent)
        self.folder = self.sockets = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="bench-", dir=self.parent)
        self.sockets = tempfile.mkdtemp(prefix="brug-bench-")  # a socket's name has to be short
        try:
            run(os.path.join(ROOT, "certs", "make-pki"), "init", self.pki)
            os.mkdir(self.path("crl"))
            shutil.copy(os.path.join(self.pki, "crl.pem"), self.path("crl"))
            self.enrol()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def pki(self):
        return self.path("pki")

    @property
    def anchors(self):
        return os.path.join(self.pki, "ca.pem")

    def enrol(self):
        relay = Relay(self)
        os.mkdir(relay.state, 0o700)
        relay.start(fresh=False)
        try:
            run(program("brug-bench"), "enrol", "--world", self.path("world"), "--socket", relay.admin_socket,
                "--pki", self.pki, "--connections", str(SENDERS), "--idle", str(self.idle))
        finally:
            relay.stop()
        shutil.move(relay.state, self.path("pristine"))

    def load_command(self, server, mode, **options):
        options = {"port": server.port, "pid": server.pid, "disk": self.disk, **options}
        words = [w for key, value in options.items() if value is not None
                 for w in ("--" + key.replace("_", "-"), str(value))]
        return [program("brug-bench"), mode, "--world", self.path("world"), "--anchors", self.anchors,
                "--json", "-", *words]

    def load(self, server, mode, **options):
        """brug-bench's report; Failed when it lost something."""
        done = subprocess.run(self.load_command(server, mode, **options), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise Failed(f"{server.name} {mode} {options}: {done.stderr.strip().splitlines()[-1:]}")
        return json.loads(done.stdout)


class Server:
    """A process that is started, killed and watched."""

    def __init__(self, place):
        self.place = place
        self.port = free_port()
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        return self.place.path(self.name + ".log")

    def tail(self):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-5:]).strip()

    def spawn(self, *command, **environment):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **environment}, start_new_session=True)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
            self.process = None


class Relay(Server):
    name = "relay"

    def __init__(self, place, **settings):
        super().__init__(place)
        self.state = place.path("state")
        self.admin_socket = os.path.join(place.sockets, "admin")
        self.settings = {**SETTINGS, **settings}

    def configure(self):
        values = {
            "listen": f"{HOST}:{self.port}", "state_directory": self.state, "admin_socket": self.admin_socket,
            "relay_certificate": os.path.join(self.place.pki, "relay.pem"),
            "relay_key": os.path.join(self.place.pki, "relay.key"), "crl_directory": self.place.path("crl"),
            "relay_host": HOST, "relay_port": self.port, "relay_anchors": self.place.anchors, **self.settings,
        }
        with open(self.place.path("brugd.conf"), "w") as f:
            for key, value in values.items():
                f.write(f"{key} = " + (f'"{value}"' if isinstance(value, str) else str(value)) + "\n")

    def start(self, fresh=True):
        """Seconds until READY. Fresh: with the world and nothing else."""
        if fresh:
            shutil.rmtree(self.state, ignore_errors=True)
            shutil.copytree(self.place.path("pristine"), self.state)
        self.configure()
        address = os.path.join(self.place.sockets, "notify")
        if os.path.exists(address):
            os.unlink(address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(address)
            s.settimeout(0.1)
            began = time.monotonic()
            self.spawn(program("brugd"), "--config", self.place.path("brugd.conf"), NOTIFY_SOCKET=address)
            while not is_ready(s):
                if self.process.poll() is not None or time.monotonic() - began > START_S_MAX:
                    raise Failed(f"brugd does not become ready: {self.tail()}")
            return time.monotonic() - began


class Floor(Server):
    name = "floor"

    def __init__(self, place):
        super().__init__(place)
        self.data = place.path("floor")
        os.makedirs(self.data, exist_ok=True)

    def start(self, sync="thread", spoil=None):
        self.spawn(program("brug-floor"), "--port", str(self.port), "--pki", self.place.pki, "--folder", self.data,
                   "--sync", sync, *(["--spoil", spoil] if spoil else []))
        deadline = time.monotonic() + START_S_MAX
        while True:  # until it listens
            with socket.socket() as s:
                if s.connect_ex((HOST, self.port)) == 0:
                    return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"brug-floor does not listen: {self.tail()}")
            time.sleep(0.005)
