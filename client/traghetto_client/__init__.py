"""Traghetto from Python: translations, corrections, and what the server says of itself. Needs only httpx.

From below to above: `answers` (dataclasses), `errors` (their tree), `calls` (what is sent, and when once more),
`clients` (which send, and sleep).
"""

from traghetto_client.answers import (
    Alternative,
    Correction,
    Details,
    Detected,
    Model,
    Period,
    Readiness,
    Sentence,
    Translation,
    Usage,
    Word,
)
from traghetto_client.calls import Language, Options, Proposal, Settings
from traghetto_client.clients import AsyncTraghetto, Traghetto, __version__
from traghetto_client.errors import (
    ApiError,
    ConnectionFailed,
    FieldError,
    InvalidRequest,
    NotAuthorised,
    TooManyRequests,
    TraghettoError,
    Unavailable,
)

__all__ = [
    "Alternative",
    "ApiError",
    "AsyncTraghetto",
    "ConnectionFailed",
    "Correction",
    "Details",
    "Detected",
    "FieldError",
    "InvalidRequest",
    "Language",
    "Model",
    "NotAuthorised",
    "Options",
    "Period",
    "Proposal",
    "Readiness",
    "Sentence",
    "Settings",
    "TooManyRequests",
    "Traghetto",
    "TraghettoError",
    "Translation",
    "Unavailable",
    "Usage",
    "Word",
    "__version__",
]
