"""Products of matrices in training: PyTorch's, or on fp32 and one thread those of `train_fp32.c`.

PyTorch's come from MKL, which packs the weights of a recurrent layer anew at each time step; ours are packed once.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import c_int32, c_int64, c_void_p
from typing import Any

import torch
from torch import Tensor

from model.kernels.native_library import load_library

_FUNCTIONS: tuple[tuple[str, list[Any], Any], ...] = (
    ("packed_size", [c_int64] * 2, c_int64),
    ("pack", [c_int64] * 2 + [c_void_p] + [c_int64] * 2 + [c_void_p], None),
    (
        "multiply_packed",
        [c_int64] * 3 + [c_void_p] + [c_int64] * 2 + [c_void_p] * 2 + [c_int64, c_void_p, c_int32],
        c_int32,
    ),
)


@functools.cache
def _library() -> ctypes.CDLL | None:
    library = load_library("can_train_fp32")
    if library is not None:
        for name, arguments, result in _FUNCTIONS:
            function = getattr(library, name)
            function.argtypes, function.restype = arguments, result
    return library


def is_own(tensor: Tensor) -> bool:
    """Whether products with `tensor` are those of `train_fp32.c`."""
    fits = tensor.dtype == torch.float32 and tensor.device.type == "cpu" and torch.get_num_threads() == 1
    return fits and _library() is not None


class Right:
    """The right side of products, `[depth, columns]` of any strides: prepared once, multiplied from the left often.

    It keeps what the matrix held when it was made.
    """

    def __init__(self, matrix: Tensor) -> None:
        self._matrix = matrix
        self._library = _library() if is_own(matrix) else None
        if self._library is not None:
            self._packed = matrix.new_empty(self._library.packed_size(*matrix.shape))
            self._library.pack(*matrix.shape, matrix.data_ptr(), *matrix.stride(), self._packed.data_ptr())

    def multiply(self, left: Tensor, out: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """`left` `[rows, depth]` times the matrix, plus `bias` `[columns]`: into `out`, or else a new tensor.

        `out` is `[rows, columns]`, its rows dense.
        """
        if out is None:
            out = left.new_empty(left.shape[0], self._matrix.shape[1])
        if self._library is not None:
            return self._multiply(self._library, left, out, bias, adds=False)
        return torch.mm(left, self._matrix, out=out) if bias is None else torch.addmm(bias, left, self._matrix, out=out)

    def add_to(self, out: Tensor, left: Tensor) -> Tensor:
        """`out` gets `left` times the matrix added."""
        if self._library is None:
            return out.add_(left @ self._matrix)
        return self._multiply(self._library, left, out, None, adds=True)

    def _multiply(self, library: ctypes.CDLL, left: Tensor, out: Tensor, bias: Tensor | None, *, adds: bool) -> Tensor:
        packed, (depth, columns) = self._packed, self._matrix.shape
        fits = left.dtype == packed.dtype == out.dtype and left.shape[1] == depth and out.stride(1) == 1
        if not fits or out.shape != (left.shape[0], columns):
            raise ValueError(f"{list(left.shape)} times {[depth, columns]} does not go into {list(out.shape)}")
        if depth == 0 and not adds:
            return out.zero_() if bias is None else out.copy_(bias)
        if 1 not in left.stride():
            left = left.contiguous()
        bias = None if bias is None else bias.to(packed.dtype).contiguous()
        where = left.data_ptr(), *left.stride(), packed.data_ptr(), out.data_ptr(), out.stride(0)
        if library.multiply_packed(len(left), columns, depth, *where, None if bias is None else bias.data_ptr(), adds):
            raise MemoryError("no memory for a product")
        return out


def product(left: Tensor, right: Tensor) -> Tensor:
    """`left` `[rows, depth]` times `right` `[depth, columns]`."""
    return Right(right).multiply(left)
