"""What a Ray that we start ourselves is told, unless the environment says otherwise; before it is imported."""

from __future__ import annotations

import os

OWN = {
    "RAY_AUTH_MODE": "token",  # who reaches Ray's ports could run any code
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",  # one that has ended does not come back
}


def tell_ray() -> None:
    """Set what is not set."""
    for name, value in OWN.items():
        os.environ.setdefault(name, value)
