"""Files for whoever runs the server: they agree with each other and with the program, so that a renamed metric, setting
or file does not go unnoticed."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from monitoring import DEPLOY, ROOT, Expression, dashboard, expressions, from_yaml, problems, rules, series

from app.settings import Settings

COMPOSE = ROOT / "docker-compose.yml"
MANUAL = ROOT / "docs" / "operating.md"
MONITORING = ("prometheus", "grafana")
WIDTH = 24
"""Columns of Grafana's grid."""


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = from_yaml(COMPOSE)["services"]
    return found


def run(*command: str, cwd: Path = DEPLOY) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# --- compose -------------------------------------------------------------------------------------------------------


def test_plain_compose_starts_no_monitoring() -> None:
    assert [name for name, service in services().items() if service.get("profiles")] == list(MONITORING)
    needed = {
        other for name, one in services().items() if name not in MONITORING for other in one.get("depends_on", ())
    }
    assert not needed & set(MONITORING)


def test_plain_compose_asks_for_no_password_of_grafana() -> None:
    """`${VAR:?}` is evaluated in services that are not started, too; so it is the container that insists on one."""
    text = COMPOSE.read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+):\?", text)) == {"POSTGRES_PASSWORD", "TRAGHETTO_ADMIN_KEY"}
    assert "${GRAFANA_PASSWORD:-}" in text


@pytest.mark.parametrize(("password", "says"), [("", "set GRAFANA_PASSWORD"), ("geheim", "it starts")])
def test_grafana_refuses_to_start_without_a_password(password: str, says: str) -> None:
    shell, option, script = services()["grafana"]["entrypoint"]
    script = script.replace("$$", "$").replace("exec /run.sh", "echo it starts")
    done = subprocess.run(
        [shell, option, script],
        env={"GF_SECURITY_ADMIN_PASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
    assert says in done.stdout + done.stderr and (done.returncode == 0) == bool(password)


def test_every_mounted_file_exists() -> None:
    mounted = [volume.split(":") for one in services().values() for volume in one.get("volumes", ())]
    assert [path for path, *_ in mounted if path.startswith(".") and not (ROOT / path).exists()] == []
    named = {path for path, *_ in mounted if not path.startswith(".")}
    assert named == set(from_yaml(COMPOSE)["volumes"])
    assert all(mode == ["ro"] for path, _, *mode in mounted if path.startswith("."))


@pytest.mark.parametrize("name", ["server", *MONITORING])
def test_what_listens_is_confined(name: str) -> None:
    service = services()[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["security_opt"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


@pytest.mark.parametrize("name", MONITORING)
def test_monitoring_is_pinned_and_checked(name: str) -> None:
    service = services()[name]
    assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
    port = service["ports"][0].split(":")[-1]
    assert f":{port}/" in service["healthcheck"]["test"][-1]


def test_settings_in_the_files_are_settings() -> None:
    known = {f"TRAGHETTO_{name.upper()}" for name in Settings.model_fields}
    paths = [COMPOSE, *(path for path in DEPLOY.rglob("*") if path.is_file())]
    named = {name for path in paths for name in re.findall(r"TRAGHETTO_[A-Z_]+", path.read_text(encoding="utf-8"))}
    assert named - known == set()


# --- Prometheus ----------------------------------------------------------------------------------------------------


def test_prometheus_reads_the_server_of_compose() -> None:
    config = from_yaml(DEPLOY / "prometheus.yml")
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "traghetto"
    host, port = job["static_configs"][0]["targets"][0].split(":")
    assert host in services() and port in services()[host]["command"]
    mounted = {volume.split(":")[1] for volume in services()["prometheus"]["volumes"]}
    assert {f"/etc/prometheus/{name}" for name in config["rule_files"]} <= mounted


def test_alerts_tell_what_is_wrong_and_what_it_means() -> None:
    assert len(rules()) >= 10
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description"}, rule["alert"]


def test_the_manual_says_what_to_do_for_each_alert() -> None:
    manual = MANUAL.read_text(encoding="utf-8")
    assert [rule["alert"] for rule in rules() if f"| `{rule['alert']}` |" not in manual] == []


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool, of Prometheus")
def test_prometheus_takes_its_files(tmp_path: Path) -> None:
    assert "SUCCESS" in run("promtool", "check", "config", "prometheus.yml")
    shutil.copy(DEPLOY / "alerts.yml", tmp_path)
    shutil.copy(Path(__file__).with_name("alerts_test.yml"), tmp_path)
    assert "SUCCESS" in run("promtool", "test", "rules", "alerts_test.yml", cwd=tmp_path)


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    tested = Path(__file__).with_name("alerts_test.yml").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in rules() if rule["alert"] not in tested] == []


# --- the dashboard -------------------------------------------------------------------------------------------------


def test_everything_that_is_asked_for_is_measured() -> None:
    known = series()
    assert [problem for expression in expressions() for problem in problems(expression, known)] == []


@pytest.mark.parametrize(
    ("text", "legend", "problem"),
    [
        ("rate(traghetto_nothing_total[5m])", "", "no metric traghetto_nothing_total"),
        ('traghetto_memory_rows{pair="it-en"}', "", "traghetto_memory_rows has no label pair"),
        ("sum by (colour) (traghetto_memory_rows)", "", "no label colour"),
        ("sum by (instance) (traghetto_memory_rows)", "{{job}}", "job is shown and not grouped by"),
        ("other_metric{}", "", "no metric other_metric"),
        ("traghetto_queue_seconds", "", "no metric traghetto_queue_seconds"),
    ],
)
def test_the_check_of_expressions_can_fail(text: str, legend: str, problem: str) -> None:
    assert any(problem in found for found in problems(Expression("here", text, legend), series()))


def test_the_dashboard_shows_what_is_measured() -> None:
    """All that the server counts can be seen, but what the client library adds."""
    asked = " ".join(expression.text for expression in expressions())
    ours = {name for name in series() if name.startswith("traghetto_") and not name.endswith("_created")}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in ours}
    assert [name for name in sorted(families) if name not in asked] == []


def test_panels_have_a_place_a_title_and_a_unit() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert panel["title"] and place["x"] + place["w"] <= WIDTH, panel["title"]
        if panel["type"] != "row":
            assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    titles = [panel["title"] for panel in panels]
    assert len(set(titles)) == len(titles)


def test_panels_do_not_overlap() -> None:
    for one, other in itertools.combinations(dashboard()["panels"], 2):
        a, b = one["gridPos"], other["gridPos"]
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or below, f"{one['title']} and {other['title']}"


def test_grafana_finds_the_dashboard_and_its_data() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = from_yaml(provisioning / "datasources" / "prometheus.yml")["datasources"]
    (provider,) = from_yaml(provisioning / "dashboards" / "traghetto.yml")["providers"]
    host, port = source["url"].removeprefix("http://").split(":")
    assert services()[host]["healthcheck"]["test"][-1].startswith(f"http://127.0.0.1:{port}/")
    inside = [volume.split(":")[1] for volume in services()["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/traghetto.json" in inside and "/etc/grafana/provisioning" in inside
    assert services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] in inside
    assert dashboard()["uid"] == "traghetto" and dashboard()["schemaVersion"] == 39 and dashboard()["id"] is None


# --- systemd and proxies -------------------------------------------------------------------------------------------


def test_the_unit_gives_the_server_time_to_end() -> None:
    unit = (DEPLOY / "traghetto.service").read_text(encoding="utf-8")
    stop = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert stop is not None and int(stop[1]) > 2 * Settings.model_fields["drain_s"].default
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "StateDirectory=traghetto", "Restart=on-failure"):
        assert f"\n{line}\n" in unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = (DEPLOY / "traghetto.service").read_text(encoding="utf-8")
    (tmp_path / "traghetto.service").write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", unit), encoding="utf-8")
    assert "traghetto.service" not in run("systemd-analyze", "verify", str(tmp_path / "traghetto.service"))


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_proxies_take_bodies_and_wait_as_the_server_does(name: str) -> None:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    limit = Settings.model_fields["max_body_bytes"].default
    imports = Settings.model_fields["corrections_import_max_bytes"].default
    assert (str(limit) in text and str(imports) in text) or ("1m;" in text and "16m;" in text)
    assert (limit, imports) == (1 << 20, 16 << 20)
    times = [int(value) for value in re.findall(r"(?:proxy_read_timeout|response_header_timeout) (\d+)s", text)]
    assert times and min(times) > Settings.model_fields["deadline_s"].default
