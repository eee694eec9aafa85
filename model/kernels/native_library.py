"""The library that the C files beside this one become where there is a compiler: `make native`, part of `make install`.

`decode.c` decodes, `train_bf16.c` and `train_fp32.c` have the inner loops of training. The library lies in the virtual
environment under the hash of its sources, so that one of other sources is never loaded. Standard library only.

With `--sanitize` a second one is made in a folder of its own, which ends the process at the first thing that C leaves
undefined. A process that runs under AddressSanitizer, and no other, loads that one: see scripts/check_native.py.
"""

from __future__ import annotations

import argparse
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
from typing import Literal

_DECODING = ("decode.c", "decode_avx2.c", "decode_avx512.c")
_FOLDER = Path(__file__).parent
SOURCES = tuple(_FOLDER / name for name in (*_DECODING, "train_bf16.c", "train_fp32.c"))
HEADERS = tuple(_FOLDER / name for name in ("activations.h", "decode.h", "decode_network.h", "train_steps.h"))
FLAGS = ("-O3", "-ffp-contract=fast", "-fno-math-errno", "-shared", "-fPIC")
SANITIZED_FLAGS = (
    "-O1", "-g1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *FLAGS[1:],
)  # fmt: skip
Able = Literal["can_decode", "can_train_bf16", "can_train_fp32"]
"""Functions of the library that ask the CPU: one for each file."""
COMPILERS = ("gcc", "cc", "clang")
MACHINES = ("x86_64", "amd64")
COMPILE_TIMEOUT_S = 300.0
SLOWLY = "decoding and training go through PyTorch, more slowly"


def built_path(sanitized: bool = False) -> Path:
    """Where the library for these sources and this Python environment lies, or would lie if it were compiled."""
    read = b"".join(path.read_bytes() for path in (*SOURCES, *HEADERS))
    digest = hashlib.sha256(read + " ".join(_flags(sanitized)).encode()).hexdigest()[:16]
    folder = Path(sys.prefix) / "lib" / "traghetto"
    return (folder / "sanitized" if sanitized else folder) / f"native-{digest}.so"


def _flags(sanitized: bool) -> tuple[str, ...]:
    return SANITIZED_FLAGS if sanitized else FLAGS


def compile_library(sanitized: bool = False) -> tuple[bool, str]:
    """Compile if there is a compiler: whether nothing is left to do here, and what was done, for people.

    The sanitized library is always compiled: it goes with the runtime of its compiler, whichever that is today.
    """
    path = built_path(sanitized)
    if platform.machine().lower() not in MACHINES:
        return True, f"the C files are for {MACHINES[0]}: on {platform.machine()} all goes through PyTorch"
    if path.exists() and not sanitized:
        return True, f"{path} is up to date"
    compiler = next((found for name in (os.environ.get("CC", ""), *COMPILERS) if (found := shutil.which(name))), None)
    if compiler is None:
        return False, f"no C compiler, so {SLOWLY} (install gcc or clang, then: make native)"
    try:
        problem = _compile(compiler, sanitized, path)
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    return not problem, f"{compiler} failed, so {SLOWLY}:\n{problem}" if problem else f"compiled {path} with {compiler}"


def _compile(compiler: str, sanitized: bool, path: Path) -> str:
    """Put the library in place, and remove those of older sources; what the compiler complained of, or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        built = Path(folder) / path.name
        shared = ["-shared-libasan"] if sanitized and "clang" in Path(compiler).name else []
        command = [compiler, *_flags(sanitized), *shared, "-o", str(built), *map(str, SOURCES), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False)
        if done.returncode:
            return done.stderr or f"exit status {done.returncode}"
        for old in path.parent.glob("*.so"):
            old.unlink()
        built.replace(path)
    return ""


@functools.cache
def load_library(able: Able = "can_decode") -> ctypes.CDLL | None:
    """The compiled library, or None where there is none or this CPU cannot run what is wanted of it."""
    path = built_path(_is_sanitized_process())
    if not path.exists():
        return None
    try:
        library = ctypes.CDLL(str(path))
    except OSError:
        return None  # of another system: the environment was copied
    return library if getattr(library, able)() else None


def is_uncompiled() -> bool:
    """Whether there is no library for these sources, on a machine for which they were written."""
    return platform.machine().lower() in MACHINES and not built_path(_is_sanitized_process()).exists()


def _is_sanitized_process() -> bool:
    """Whether this process was started with the runtime of AddressSanitizer, which must come before all else."""
    return os.name == "posix" and hasattr(ctypes.CDLL(None), "__asan_init")


def main() -> int:
    """Compile, say so, and leave the stamp where there is nothing more to do: the exit status.

    0 whatever came of it, since all works without; 1 if it was to be the sanitized library, without which nothing is
    watched.
    """
    parser = argparse.ArgumentParser(description="Compile the fast decoder and the inner loops of training.")
    parser.add_argument("--stamp", type=Path)
    parser.add_argument("--sanitize", action="store_true", help="the library that make check-native tests")
    options = parser.parse_args()
    done, message = compile_library(options.sanitize)
    sys.stdout.write(message + "\n")
    if done and options.stamp is not None:
        options.stamp.touch()
    return int(options.sanitize and not done)


if __name__ == "__main__":
    sys.exit(main())
