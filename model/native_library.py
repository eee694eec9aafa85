"""The library that `decode.c` becomes where there is a C compiler: `make native`, which is part of `make install`.

It lies in the virtual environment under the hash of its source, so that a library of another source is never loaded.
Standard library only.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("decode.c")
FLAGS = ("-O3", "-ffp-contract=fast", "-fno-math-errno", "-shared", "-fPIC")
COMPILERS = ("cc", "gcc", "clang")
MACHINES = ("x86_64", "amd64")
COMPILE_TIMEOUT_S = 120.0


def library_path() -> Path:
    """Where the library for this source and Python environment lies, or would lie."""
    digest = hashlib.sha256(SOURCE.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    return Path(sys.prefix) / "lib" / "traghetto" / f"decode-{digest}.so"


def compile_library() -> str:
    """Compile `decode.c` if there is a compiler; what was done, for people."""
    path = library_path()
    compiler = next((found for name in (os.environ.get("CC", ""), *COMPILERS) if (found := shutil.which(name))), None)
    if path.exists():
        return f"{path} is up to date"
    if platform.machine().lower() not in MACHINES:
        return f"decode.c is for {MACHINES[0]}: on {platform.machine()} decoding goes through PyTorch"
    if compiler is None:
        return "no C compiler: decoding goes through PyTorch, more slowly (install gcc or clang, then: make native)"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        built = Path(folder) / path.name
        command = [compiler, *FLAGS, "-o", str(built), str(SOURCE), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False)
        if done.returncode:
            return f"{compiler} failed, decoding goes through PyTorch, more slowly:\n{done.stderr}"
        built.replace(path)
    return f"compiled {path} with {compiler}"


@functools.cache
def load_library() -> ctypes.CDLL | None:
    """The compiled library, or None where there is none or this CPU cannot run it."""
    path = library_path()
    if not path.exists():
        return None
    try:
        library = ctypes.CDLL(str(path))
    except OSError:
        return None  # of another system: the environment was copied
    return library if library.can_run() else None


if __name__ == "__main__":
    sys.stdout.write(compile_library() + "\n")
