"""Install Traghetto into `.venv`; the Makefile calls this, with the oldest Python that it accepts.

    python3 scripts/install.py --venv .venv --torch auto --extras dev,bench --stamp .venv/.installed

Standard library only. Safe to run twice at once: the second waits for the first.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import platform
import shutil
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_TIMEOUT_S = 3.0
INSTALLED_TORCH = (
    "import importlib.metadata as m\ntry: print(m.version('torch'))\nexcept m.PackageNotFoundError: print()"
)


@dataclass(frozen=True)
class World:
    """What the choice of a torch build depends on."""

    system: str
    """`platform.system()`."""
    sees_gpu: Callable[[], bool]
    reaches: Callable[[str], bool]


def sees_nvidia() -> bool:
    """Whether this machine has an NVIDIA GPU with a loaded driver."""
    if Path("/proc/driver/nvidia/version").exists():
        return True
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run([tool, "-L"], capture_output=True, timeout=10, check=False).stdout.startswith(b"GPU ")
    return False


def reaches(url: str, timeout_s: float = PROBE_TIMEOUT_S) -> bool:
    """Whether a server answers at `url`, whatever it answers, within `timeout_s`; name resolution counts too."""
    answered: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=timeout_s):
                answered.append(True)
        except urllib.error.HTTPError:
            answered.append(True)
        except urllib.error.URLError as error:
            # a certificate that only pip is told to trust is pip's to judge
            answered.append(isinstance(error.reason, ssl.SSLCertVerificationError))
        except (OSError, ValueError):
            answered.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout_s + 1.0)
    return bool(answered and answered[0])


@dataclass(frozen=True)
class TorchPlan:
    """How to get torch: further pip options, whether the one in place must go first, and what to tell people."""

    pip_options: tuple[str, ...]
    replace: bool
    note: str


def plan_torch(choice: str, installed: str, world: World) -> TorchPlan:
    """Which torch to install for `choice` (auto, cpu, cuda) where version `installed` is in place ("" for none)."""
    if installed and (choice == "auto" or (installed.endswith("+cpu") == (choice == "cpu"))):
        return TorchPlan((), False, f"keeping torch {installed}")
    if choice == "cuda" or (choice == "auto" and world.system == "Linux" and world.sees_gpu()):
        return TorchPlan((), bool(installed), "torch with CUDA from the configured index (several GB)")
    if world.system != "Linux":
        return TorchPlan((), False, "torch from the configured index")
    if not world.reaches(CPU_INDEX + "/"):
        return TorchPlan((), False, f"{CPU_INDEX} does not answer: torch from the configured index")
    return TorchPlan(("--extra-index-url", CPU_INDEX), bool(installed), "torch for the CPU (about 200 MB)")


def requirement(extras: Sequence[str]) -> str:
    """What pip is to install: this folder, with extras."""
    return f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` where the system has them."""
    with path.open("w") as file:
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_environment(venv: Path) -> Path:
    """Create the virtual environment unless it is there, with pip in it; give its Python."""
    python = venv / "bin" / "python"
    if not python.exists():
        with_pip = importlib.util.find_spec("ensurepip") is not None
        _run(sys.executable, "-m", "venv", *([] if with_pip else ["--without-pip"]), str(venv))
    if subprocess.run([str(python), "-c", "import pip"], capture_output=True, check=False).returncode:
        # Debian without python3-venv: the outer pip can install into the environment
        _run(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "pip")
    return python


def install(venv: Path, extras: Sequence[str], choice: str, constraints: Path) -> None:
    """Install this folder, editable, with `extras` and the torch build of `choice` into `venv`."""
    python = make_environment(venv)
    found = subprocess.run([str(python), "-c", INSTALLED_TORCH], capture_output=True, text=True, check=True)
    plan = plan_torch(choice, found.stdout.strip(), World(platform.system(), sees_nvidia, reaches))
    print(f"installing into {venv}: {plan.note}", flush=True)
    pip = (str(python), "-m", "pip", "--disable-pip-version-check")
    if plan.replace:
        _run(*pip, "uninstall", "--yes", "--quiet", "torch")
    quiet = ("--quiet",) if found.stdout.strip() and not plan.replace else ()
    where = ("--constraint", str(constraints), "--editable", requirement(extras))
    _run(*pip, "install", *quiet, *plan.pip_options, *where)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, install, leave the stamp."""
    parser = argparse.ArgumentParser(description="Install Traghetto into a virtual environment.")
    parser.add_argument("--venv", type=Path, default=Path(".venv"))
    parser.add_argument("--extras", default="", help="comma-separated: dev, bench")
    parser.add_argument("--torch", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--constraints", type=Path, default=ROOT / "constraints.txt")
    parser.add_argument("--stamp", type=Path, nargs="+", default=[], help="files to touch when all is in place")
    options = parser.parse_args(arguments)
    options.venv.mkdir(parents=True, exist_ok=True)
    try:
        with locked(options.venv / ".lock"):
            install(
                options.venv, [name for name in options.extras.split(",") if name], options.torch, options.constraints
            )
    except subprocess.CalledProcessError as error:
        print(f"the installation failed (exit status {error.returncode}); the message is above", file=sys.stderr)
        return 1
    for stamp in options.stamp:
        stamp.touch()
    return 0


def _run(*command: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    sys.exit(main())
