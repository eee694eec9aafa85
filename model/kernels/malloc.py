"""Make the C library keep the memory that it frees.

Training allocates and frees the same few hundred megabytes at every step, decoding a few megabytes. By default glibc
gives large blocks back to the kernel at once and gets them again zeroed, page by page; measured on two CPU cores, a GRU
layer in bf16 trains 1.7 times as fast when the memory is kept.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h
KEPT_BYTES = 2**31 - 1
TOP_PAD_BYTES = 256 * 2**20


def keep_freed_memory() -> bool:
    """Switch it on for this process; False where the C library has no `mallopt` (not glibc)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    options = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, KEPT_BYTES), (M_TOP_PAD, TOP_PAD_BYTES))
    done = [mallopt(option, value) == 1 for option, value in options]
    return all(done)
