"""What a scripted client keeps on disk: one fact a line, synced before it acts on it, so that it can be killed at any
moment and go on, and so that a checker can judge afterwards what it was promised and what it got.

    session ORGANISATION                    a session began; ORGANISATION: the client's own
    wrote ID DIGEST READERS SIZE HEADER     before it is sent; READERS: endpoint ids joined by commas, or "-" for a letter
                                            that must be refused, and for which the refusal must be remembered
    receipt ID RECEIPT                      each Receipt that came, repeats too
    refused ID CODE                         each remembered refusal that came, repeats too
    stored ID DIGEST SEQUENCE ORGANISATION ENDPOINT
                                            each Deliver of a letter that came, repeats too; before it is acknowledged
    fact ID DIGEST SEQUENCE MESSAGE ENDPOINT CODE
                                            each Deliver of a FACT: ENDPOINT could not read MESSAGE, because of CODE
    acked ID CODE                           the relay said Acked; CODE: of the unreadable, else 0
    noted ID                                the relay said Noted to our Opened
    tracked ID ENDPOINT:CODE:OPENED,...     Tracked of a letter of ours when all had settled: for each reader, the code of
                                            the unreadable, 0 when it was fetched, - when neither; whether it was opened

All in hexadecimal but SIZE, SEQUENCE, CODE and OPENED. A last line that is torn was never acted on.
"""
import os

TAIL_BYTES = 1 << 20  # more than one commit holds


def whole_lines(data):
    """The lines that were written whole, as lists of words, and how many bytes they take."""
    end = data.rfind(b"\n") + 1
    return [line.split() for line in data[:end].decode().split("\n")[:-1]], end


def read(path, offset=0):
    with open(path, "rb") as f:
        f.seek(offset)
        return whole_lines(f.read())[0]


def end_of_records(path):
    """Where what will be added begins: behind the last whole line, as a client sees it that was killed within a line."""
    size = os.path.getsize(path)
    tail = min(size, TAIL_BYTES)
    with open(path, "rb") as f:
        f.seek(size - tail)
        return size - tail + f.read(tail).rfind(b"\n") + 1


class Records:
    def __init__(self, path, offset):
        """Goes on after what is there; `words`: the lines from `offset` on."""
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        data = os.pread(self.fd, os.fstat(self.fd).st_size - offset, offset)
        self.words, end = whole_lines(data)
        os.ftruncate(self.fd, offset + end)
        os.lseek(self.fd, offset + end, os.SEEK_SET)
        self.lines = []

    def add(self, *words):
        self.lines.append(" ".join(w.hex() if isinstance(w, bytes) else str(w) for w in words) + "\n")

    def commit(self, at=lambda point: None):
        """`at` is told each point at which a kill is of interest."""
        if not self.lines:
            return
        data = "".join(self.lines).encode()
        self.lines = []
        at("before-record")
        os.write(self.fd, data[:len(data) // 2])
        at("within-record")
        os.write(self.fd, data[len(data) // 2:])
        os.fdatasync(self.fd)
        at("after-record")

    def close(self):
        os.close(self.fd)
