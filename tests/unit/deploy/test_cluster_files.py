"""Files for several machines: valid by the schemas of those who read them, and in agreement with the program."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from monitoring import DEPLOY, ROOT, from_yaml

from app.cluster.application import build
from app.cluster.options import ClusterOptions
from app.cluster.proxy import ASKED_AGAIN
from app.errors import SettingsError
from app.settings import Settings

KUBERNETES = "1.33"
RAYSERVICE = DEPLOY / "rayservice.yaml"
COMPOSE = DEPLOY / "compose.replicas.yml"
PROXY = DEPLOY / "nginx.replicas.conf"


POD = {"type": "object"}  # checked by Kubernetes' own schema below
WORDS = {"type": "object", "additionalProperties": {"type": "string"}}


def fields(needed: Sequence[str] = (), **known: Any) -> dict[str, Any]:
    """The schema of an object with these fields and no others."""
    return {"type": "object", "properties": known, "required": list(needed), "additionalProperties": False}


KUBERAY = fields(
    ["serveConfigV2", "rayClusterConfig"],
    serveConfigV2={"type": "string"},
    excludeHeadPodFromServeSvc={"type": "boolean"},
    upgradeStrategy=fields(type={"enum": ["NewCluster", "NewClusterWithIncrementalUpgrade", "None"]}),
    rayClusterConfig=fields(
        ["headGroupSpec", "rayVersion"],
        rayVersion={"type": "string", "pattern": r"^2\.(5[2-9]|[6-9]\d)\.\d+$"},  # authOptions need 2.52
        authOptions=fields(mode={"enum": ["disabled", "token"]}),
        enableInTreeAutoscaling={"type": "boolean"},
        autoscalerOptions=fields(
            idleTimeoutSeconds={"type": "integer"}, upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]}
        ),
        gcsFaultToleranceOptions=fields(redisAddress={"type": "string"}, externalStorageNamespace={"type": "string"}),
        headGroupSpec=fields(["template"], rayStartParams=WORDS, template=POD),
        workerGroupSpecs={
            "type": "array",
            "items": fields(
                ["groupName", "template"],
                groupName={"type": "string"},
                **{
                    name: {"type": "integer"}
                    for name in ("replicas", "minReplicas", "maxReplicas", "idleTimeoutSeconds")
                },
                rayStartParams=WORDS,
                template=POD,
            ),
        },
    ),
)
"""What we may use of a RayService. Names and types are those of KubeRay's API reference (1.6.2)."""


def objects() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(RAYSERVICE.read_text(encoding="utf-8")))


def one(kind: str) -> dict[str, Any]:
    (found,) = (each for each in objects() if each["kind"] == kind)
    return found


def pods() -> list[dict[str, Any]]:
    """The templates of all pods: the job's, Ray's head's, its workers'."""
    cluster = one("RayService")["spec"]["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [one("Job")["spec"]["template"], *(group["template"] for group in groups)]


def serve_config() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(one("RayService")["spec"]["serveConfigV2"])
    return found


def check(found: dict[str, Any]) -> None:
    kubernetes_validate.validate(found, KUBERNETES, strict=True)


def as_object(template: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "pod"}, "template": template}


def test_kubernetes_knows_every_object() -> None:
    for each in objects():
        if each["kind"] != "RayService":
            check(each)


def test_kuberay_knows_every_field() -> None:
    service = one("RayService")
    assert service["apiVersion"] == "ray.io/v1"
    jsonschema.validate(service["spec"], KUBERAY)
    service["spec"]["rayClusterConfig"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0
    with pytest.raises(jsonschema.ValidationError, match="not of type 'string'"):
        jsonschema.validate(service["spec"], KUBERAY)


@pytest.mark.parametrize("template", pods())
def test_kubernetes_knows_every_pod(template: dict[str, Any]) -> None:
    check(as_object(template))
    wrong = copy.deepcopy(template)
    wrong["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        check(as_object(wrong))


@pytest.mark.parametrize("template", pods())
def test_every_pod_is_confined_and_says_what_it_needs(template: dict[str, Any]) -> None:
    (container,) = template["spec"]["containers"]
    assert template["spec"]["securityContext"]["runAsNonRoot"]
    assert template["spec"]["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert {"requests", "limits"} <= set(container["resources"])
    assert {"secretRef", "configMapRef"} == {kind for source in container["envFrom"] for kind in source}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_ray_serve_can_read_its_part_and_the_program_builds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.serve.schema import ServeDeploySchema

    ServeDeploySchema.model_validate(serve_config())
    (application,) = serve_config()["applications"]
    module, name = application["import_path"].split(":")
    assert getattr(sys.modules[module], name) is build
    options = ClusterOptions.model_validate(application["args"])
    with pytest.raises(SettingsError, match="TRAGHETTO_ADMIN_KEY"):
        build(application["args"])
    monkeypatch.setenv("TRAGHETTO_ADMIN_KEY", "0123456789abcdef0123")
    deployment = build(application["args"])._bound_deployment
    assert deployment.ray_actor_options["num_cpus"] == options.cores


def test_the_token_is_the_operators() -> None:
    """Set by hand, Ray's dashboard would refuse the operator."""
    assert one("RayService")["spec"]["rayClusterConfig"]["authOptions"] == {"mode": "token"}
    assert not [name for name in one("ConfigMap")["data"] if name.startswith("RAY_AUTH")]


def test_pods_end_after_what_they_have_accepted() -> None:
    *_, worker = pods()
    _, seconds = worker["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert Settings.model_fields["deadline_s"].default < int(seconds) < worker["spec"]["terminationGracePeriodSeconds"]


def test_workers_have_place_for_the_replicas() -> None:
    (group,) = one("RayService")["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    options = ClusterOptions.model_validate(serve_config()["applications"][0]["args"])
    cores = int(group["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"])
    assert group["minReplicas"] * cores >= options.replicas * options.cores
    assert group["maxReplicas"] * cores >= (options.max_replicas or 0) * options.cores


def test_settings_are_of_the_program_and_hold_no_secret() -> None:
    names = {f"TRAGHETTO_{name.upper()}" for name in Settings.model_fields}
    given = set(one("ConfigMap")["data"]) | set(from_yaml(COMPOSE)["services"]["server"]["environment"])
    ours = {name for name in given if name.startswith("TRAGHETTO_")}
    assert ours <= names
    assert not {"TRAGHETTO_ADMIN_KEY", "TRAGHETTO_DATABASE_URL"} & set(one("ConfigMap")["data"])
    assert "kind: Secret" not in RAYSERVICE.read_text(encoding="utf-8")


def test_what_keeps_others_out_means_the_pods_that_there_are() -> None:
    budget, policy = one("PodDisruptionBudget")["spec"], one("NetworkPolicy")["spec"]
    *_, worker = pods()
    assert budget["selector"]["matchLabels"].items() <= worker["metadata"]["labels"].items()
    for template in pods():
        assert policy["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()


def test_compose_follows_its_specification() -> None:
    tool = str(Path(sys.executable).parent / "check-jsonschema")
    command = [tool, "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout


def test_compose_extends_what_is_there_and_mounts_files_that_are() -> None:
    there = from_yaml(ROOT / "docker-compose.yml")["services"]
    services = from_yaml(COMPOSE)["services"]
    extended = [service["extends"]["service"] for service in services.values() if "extends" in service]
    assert extended and set(extended) <= set(there)
    mounted = [volume.split(":")[0] for volume in services["proxy"]["volumes"]]
    assert [name for name in mounted if name.startswith(".") and not (DEPLOY / name).is_file()] == []


def test_the_proxy_asks_again_what_ours_does() -> None:
    (paths,) = re.findall(r"location ~ \^/\((v1/translate\S+)\)\$", PROXY.read_text(encoding="utf-8"))
    assert {f"/{path}" for path in paths.split("|")} <= ASKED_AGAIN
