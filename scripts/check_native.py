"""Run the tests of the C code with every read, write and sum in it watched: `make check-native`.

A second library, compiled with AddressSanitizer and UndefinedBehaviorSanitizer, takes the place of the usual one in a
process of its own, which ends at the first thing that C leaves undefined. By clang where there is one, since GCC does
not see arithmetic on null pointers; else by gcc. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ("test_model_native_layouts.py", "test_model_native.py", "test_model_fused.py")
RUNTIMES = {"clang": ("libclang_rt.asan-x86_64.so", "libclang_rt.asan.so"), "gcc": ("libasan.so",)}
"""Compiler -> its library that must be loaded before all else, by its possible names; the first there is taken."""
THROWS = "libstdc++.so.6"
"""To be loaded with it: AddressSanitizer wants to know what throws the exceptions of PyTorch."""
PROBE = """
from model.kernels.native_library import built_path, load_library
library = load_library("can_train_fp32")
assert library is not None, "no library is loaded"
assert library._name == str(built_path(sanitized=True)), f"{library._name} is loaded, which nobody watches"
"""
LAYOUTS = "8"
TIMEOUT_S = 600.0


def main() -> int:
    """With `--runtime COMPILER`, say where its sanitizers are: 1 if nowhere. Else compile and test."""
    parser = argparse.ArgumentParser(description="Run the tests of the C code under sanitizers.")
    parser.add_argument("--runtime", choices=RUNTIMES, help="only say where those of this compiler are")
    asked = parser.parse_args().runtime
    if asked is None:
        return check()
    found = runtime(asked)
    print(found or f"{asked} is not here with its sanitizers")
    return int(found is None)


def check() -> int:
    """Compile and test: the exit status of the tests, or 1 if they would not run what is watched.

    Where nothing can be compiled it is 0, or 1 if TRAGHETTO_REQUIRE names `native`.
    """
    found = next(((name, path) for name in RUNTIMES if (path := runtime(name)) is not None), None)
    reason = why_not() or (f"neither {' nor '.join(RUNTIMES)} is here with its sanitizers" if found is None else None)
    if found is None or reason is not None:
        required = "native" in os.environ.get("TRAGHETTO_REQUIRE", "").split(",")
        print(f"check-native: {'cannot run' if required else 'skipped'}: {reason}")
        return int(required)
    compiler, preloaded = found
    if compiler == "gcc" and shutil.which("clang"):
        print("check-native: clang is here without its sanitizers, so gcc it is")
    library = [sys.executable, "-m", "model.kernels.native_library", "--sanitize"]
    if subprocess.run(library, cwd=ROOT, env={**os.environ, "CC": compiler}, check=False).returncode:
        print(f"check-native: {compiler} cannot compile the C code")
        return 1
    if not is_watched(watched(preloaded)):
        print(f"check-native: {preloaded} was not loaded, so nothing would be watched")
        return 1
    done = subprocess.run(command(), cwd=ROOT, env=watched(preloaded), timeout=TIMEOUT_S, check=False)
    print(f"check-native: with {compiler}, exit status {done.returncode}")
    return done.returncode


def why_not() -> str | None:
    """What keeps this machine from running the C code, or None."""
    if platform.machine().lower() not in ("x86_64", "amd64") or not sys.platform.startswith("linux"):
        return "the C code is checked on x86-64 Linux"
    return None if "avx2" in cpu_flags() else "this CPU has no AVX2"


def cpu_flags() -> set[str]:
    """What Linux says of this CPU."""
    return set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())


def runtime(compiler: str) -> Path | None:
    """Where `compiler` keeps the library that must be loaded first; None if it, or the compiler, is not here."""
    if shutil.which(compiler) is None:
        return None
    return next((path for name in RUNTIMES[compiler] if (path := _printed(compiler, name)).is_file()), None)


def _printed(compiler: str, name: str) -> Path:
    """Where `compiler` says that its file `name` is; the bare name if it does not know."""
    asked = [compiler, f"-print-file-name={name}"]
    return Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())


def is_watched(environment: dict[str, str]) -> bool:
    """Whether a process with this environment loads the sanitized library; ld.so leaves out what it cannot load."""
    return subprocess.run([sys.executable, "-c", PROBE], cwd=ROOT, env=environment, check=False).returncode == 0


def watched(preloaded: Path) -> dict[str, str]:
    """The environment of a process under the sanitizers. Python frees little at its end: leaks are not looked for."""
    return {
        **os.environ,
        "LD_PRELOAD": f"{preloaded} {THROWS}",
        "ASAN_OPTIONS": "detect_leaks=0:malloc_context_size=6",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "OMP_NUM_THREADS": "1",
        "TRAGHETTO_REQUIRE": "native",
        "TRAGHETTO_TEST_LAYOUTS": LAYOUTS,
    }


def command() -> list[str]:
    """The tests of what is compiled, with standard error left alone: there a sanitizer says why it ends the process."""
    tests = [f"tests/unit/model/kernels/{name}" for name in TESTS]
    options = ["-q", "-m", "native or avx512", "--capture=sys", "-p", "no:cacheprovider"]
    return [sys.executable, "-m", "pytest", *options, *tests]


if __name__ == "__main__":
    sys.exit(main())
