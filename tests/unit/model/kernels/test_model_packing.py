"""What is made of weights when they are packed is the same on every machine."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import hashlib
import numpy as np
from model.kernels.packing import Packer

rng = np.random.default_rng(1)
def some(*shape):
    return rng.normal(size=shape).astype(np.float32)
packer = Packer({"tokens.weight": some(5000, 256), "norm.weight": some(256), "norm.bias": some(256)})
weight, bias = packer.behind("norm", (some(1536, 256), some(1536)))
print(hashlib.sha256(packer.table("tokens", (weight, bias)).tobytes() + bias.tobytes()).hexdigest())
"""


def packed_with(threads: int, kernels: str) -> str:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads), "OPENBLAS_CORETYPE": kernels}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_tables_do_not_depend_on_who_sums_them() -> None:
    """Other kernels of OpenBLAS, which sum in another order, as other processors have and other numbers of threads."""
    assert (
        len({packed_with(threads, kernels) for threads, kernels in ((1, "Haswell"), (2, "Haswell"), (1, "Nehalem"))})
        == 1
    )
