"""What is not installed with the program, but with its extra `cluster`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import AppError

HOW = "make install-cluster"


@contextmanager
def needed_for(what: str) -> Iterator[None]:
    """Imports inside are of the extra.

    Raises:
        AppError: one is not installed; says how to install it `for` what.
    """
    try:
        yield
    except ImportError as error:
        raise AppError(f"{what} needs more than is installed ({error}); in the project's folder: {HOW}") from None
