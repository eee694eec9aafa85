"""The application as Ray Serve deploys it; `app.cluster.application:build` is the import path for its files.

traghetto serve --cluster        builds it with the settings of its own environment
serve deploy, RayService         builds it from `args`; each replica reads the environment of its node
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.cluster.options import ClusterOptions
from app.cluster.replica import Replica
from app.corpora.sharing.one_thread import ONE_THREAD
from app.errors import SettingsError
from app.settings import load_settings

if TYPE_CHECKING:
    from ray.serve import Application

NAME = "traghetto"
HEALTH_EVERY_S, HEALTH_TIMEOUT_S = 5.0, 30.0
MARGIN_S = 5.0
"""For a replica to end, beside the time that its requests may take."""


def build(args: Mapping[str, Any]) -> Application:
    """The application for Ray Serve's files; `args` as `ClusterOptions`.

    Raises:
        ValidationError: an option is unknown or not allowed.
        SettingsError: the environment holds settings that are not allowed, or no administration key.
    """
    settings = load_settings()
    if settings.admin_key is None:
        raise SettingsError("a cluster can be reached from other machines, and needs TRAGHETTO_ADMIN_KEY on each node")
    return application(ClusterOptions.model_validate(args), settings.drain_s)


def application(options: ClusterOptions, drain_s: float, environment: Mapping[str, str] | None = None) -> Application:
    """The application with `options`; `environment` as for `Replica`."""
    from ray import serve

    deployment: Any = serve.deployment(
        serve.ingress()(Replica),
        name="Replica",
        ray_actor_options={
            "num_cpus": options.cores,
            "num_gpus": options.gpus,
            "runtime_env": {"env_vars": ONE_THREAD},
        },
        max_ongoing_requests=load_settings().max_connections,
        health_check_period_s=HEALTH_EVERY_S,
        health_check_timeout_s=HEALTH_TIMEOUT_S,
        graceful_shutdown_wait_loop_s=1.0,
        graceful_shutdown_timeout_s=drain_s + MARGIN_S,
        logging_config={"enable_access_log": False, "log_level": "WARNING"},
        **_count(options),
    )
    bound: Application = deployment.bind(environment, options.cores)
    return bound


def _count(options: ClusterOptions) -> dict[str, Any]:
    most = options.max_replicas or options.replicas
    if most == options.replicas:
        return {"num_replicas": options.replicas}
    scaling = {
        "min_replicas": options.replicas,
        "max_replicas": most,
        "target_ongoing_requests": options.target_requests,
        "upscale_delay_s": options.upscale_delay_s,
        "downscale_delay_s": options.downscale_delay_s,
    }
    return {"num_replicas": "auto", "autoscaling_config": scaling}
