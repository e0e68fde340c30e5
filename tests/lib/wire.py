"""The wire formats for Python tests: the .proto files compiled by protoc into the build folder.

    from wire import wire, casefile, record, admin, content
"""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BRUG_BUILD", os.path.join(ROOT, "build", "plain"))
FORMATS = os.path.join(ROOT, "proto")
NAMES = ("casefile", "wire", "content", "record", "admin")


def newest(folder):
    return max(os.stat(os.path.join(folder, "brug/v1", n + ".proto")).st_mtime_ns for n in NAMES)


def generated():
    """The folder with the compiled formats; made in one step, so that tests may run side by side."""
    folder = os.path.join(BUILD, "python", str(newest(FORMATS)))
    if os.path.isdir(folder):
        return folder
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    fresh = tempfile.mkdtemp(dir=os.path.dirname(folder))
    subprocess.run(["protoc", "-I" + FORMATS, "--python_out=" + fresh]
                   + [f"brug/v1/{n}.proto" for n in NAMES], check=True, cwd=FORMATS)
    try:
        os.rename(fresh, folder)
    except OSError:  # another test was faster
        shutil.rmtree(fresh)
    return folder


sys.path.insert(0, generated())

from brug.v1 import admin_pb2 as admin  # noqa: E402  (only importable now)
from brug.v1 import casefile_pb2 as casefile  # noqa: E402
from brug.v1 import content_pb2 as content  # noqa: E402
from brug.v1 import record_pb2 as record  # noqa: E402
from brug.v1 import wire_pb2 as wire  # noqa: E402

__all__ = ["admin", "casefile", "content", "record", "wire"]
