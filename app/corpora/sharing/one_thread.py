"""Each process that translates keeps one core, also while it loads: there is one such process for each core."""

from __future__ import annotations

import os

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""OpenBLAS would start a thread for each core in each process. What it sums when a version is loaded is the same with
any number of them (`model.kernels.packing`), and decoding uses no BLAS."""


def load_with_one_thread() -> None:
    """Have NumPy, which must not have been imported yet, use one thread of OpenBLAS in this process."""
    os.environ.update(ONE_THREAD)
