"""The container files run commands, ports, variables, paths and metrics that the code knows."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from packaging.requirements import Requirement
from prometheus_client.parser import text_string_to_metric_families

from archgauge.cli import app
from archgauge.options import DATA_DIR_VARIABLE
from service.app import create_app
from service.db import Database
from service.metrics import Metrics
from service.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
NGINX = (ROOT / "deploy/nginx.conf").read_text()
ALERTS = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())
PATHS = set(create_app(Settings(data_dir=ROOT / "never-opened")).openapi()["paths"])


def command(words: list[str]) -> click.Command:
    """The command that words name, groups unfolded; its options are those among the words that begin with dashes."""
    context, found = click.Context(app), app.get_command(click.Context(app), words[0])
    if isinstance(found, click.Group):
        found = found.get_command(context, words[1])
    assert found is not None, words
    known = {option for parameter in found.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known, words
    return found


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def instruction(name: str) -> list[str]:
    match = re.search(rf"^{name} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert match, f"no {name} in the Dockerfile"
    return list(yaml.safe_load(match[1]))


def test_the_image_runs_our_command_as_another_user() -> None:
    words = instruction("ENTRYPOINT") + instruction("CMD")
    assert words[0] == "archgauge"
    command(words[1:])
    user = re.search(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert user and user[1] not in {"root", "0"}


def test_the_image_is_pinned_to_a_python_that_we_support() -> None:
    base = re.search(r"^FROM python:(\d+)\.(\d+)\.\d+-slim\S*$", DOCKERFILE, re.MULTILINE)
    assert base, "the base image is a python with its patch version"
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert (int(base[1]), int(base[2])) >= tuple(map(int, required.removeprefix(">=").split(".")))


def test_everything_copied_exists() -> None:
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source


def test_the_extras_that_are_installed_exist() -> None:
    extras = re.search(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras and {"serve", "postgres"} <= set(extras[1].split(",")) <= set(known)


def test_what_the_image_installs_is_pinned_to_versions_that_we_take() -> None:
    assert "--constraint constraints.txt" in DOCKERFILE
    lines = (ROOT / "deploy/constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    client = tomllib.loads((ROOT / "client/pyproject.toml").read_text())["project"]
    extras = [project["optional-dependencies"][name] for name in ("serve", "predict", "postgres")]
    for text in chain(project["dependencies"], client["dependencies"], *extras):
        wanted = Requirement(text)
        ours = wanted.name.startswith("archgauge")
        if not ours and (wanted.marker is None or wanted.marker.evaluate({"sys_platform": "linux"})):
            assert wanted.specifier.contains(pinned[wanted.name]), text


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_commands_that_exist(name: str) -> None:
    command(SERVICES[name]["command"])
    check = SERVICES[name].get("healthcheck", {}).get("test", [])
    if "archgauge" in check:
        command(check[check.index("archgauge") + 1 :])


@pytest.mark.parametrize("name", OURS)
def test_our_services_get_variables_that_exist(name: str) -> None:
    given = {key: re.sub(r"\$\{\w+:?[-?]?([^}]*)\}", r"\1", str(v)) for key, v in SERVICES[name]["environment"].items()}
    known = {f"ARCHGAUGE_{field.name.upper()}" for field in fields(Settings)}
    assert set(given) <= known
    settings = Settings.from_environment(given)
    assert not settings.embedded_worker, "the worker does the jobs"
    assert Database(settings.database_url).is_postgresql
    host = re.search(r"@(\w+):5432/", settings.database_url)
    assert host and host[1] in SERVICES


def test_every_service_is_checked_pinned_and_not_root() -> None:
    for name, service in SERVICES.items():
        if service.get("restart") != "no":
            assert service["healthcheck"]["test"][0] == "CMD", name
        if name not in OURS:
            assert re.fullmatch(r"[\w/.-]+:v?\d+\.\d+(\.\d+)?(-\w+)?", service["image"]), service["image"]
        runs_as_somebody = name in OURS or "user" in service or re.match("nginxinc/|prom/", service["image"])
        assert runs_as_somebody and service.get("user") != "root", name
        assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"], name


def test_services_wait_for_what_they_need() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, name
            assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[other], (name, other)
    assert SERVICES["setup"]["command"] == ["db", "upgrade"]
    assert {"setup"} == set(SERVICES["api"]["depends_on"]) == set(SERVICES["worker"]["depends_on"])
    assert SERVICES["api"]["deploy"]["replicas"] >= 2


def test_volumes_and_files_exist_and_data_lies_in_them() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, place = volume.split(":")[:2]
            assert (ROOT / source).is_file() if source.startswith("./") else source in COMPOSE["volumes"], volume
            if name in OURS and source == "data":
                assert place == service["environment"][DATA_DIR_VARIABLE]
                assert f"{DATA_DIR_VARIABLE}={place}" in DOCKERFILE and f"VOLUME {place}" in DOCKERFILE
    mounted = {volume.split(":")[1] for volume in SERVICES["prometheus"]["volumes"]}
    configuration = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())
    assert set(configuration["rule_files"]) <= mounted
    assert "--config.file=/etc/prometheus/prometheus.yml" in SERVICES["prometheus"]["command"]


def test_ports_lead_from_outside_to_the_api() -> None:
    port = option(SERVICES["api"]["command"], "--port")
    default = next(p.default for p in command(["serve"]).params if p.name == "port")
    assert port == str(default) and SERVICES["api"]["expose"] == [port]
    assert f"server api:{port} " in NGINX
    listening = re.search(r"listen (\d+);", NGINX)
    assert listening and SERVICES["proxy"]["ports"][0].endswith(f":{listening[1]}")
    for published in (*SERVICES["proxy"]["ports"], *SERVICES["prometheus"]["ports"]):
        assert published.startswith("127.0.0.1:"), "whoever wants to be reached from elsewhere says so"
    (scraped,) = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())["scrape_configs"]
    assert scraped["dns_sd_configs"][0]["port"] == int(port) and scraped["dns_sd_configs"][0]["names"] == ["api"]
    for name in ("api", "proxy"):
        checked = re.search(r"127\.0\.0\.1:(\d+)(/\w+)", " ".join(SERVICES[name]["healthcheck"]["test"]))
        assert checked and checked[1] == port and checked[2] in PATHS


def test_the_proxy_knows_the_paths_and_limits_of_the_api() -> None:
    for path in re.findall(r"location (?:= )?(/\S+) \{", NGINX):
        assert path in PATHS, path
    patterns = re.findall(r"location ~ (\S+) \{", NGINX)
    assert len(patterns) == 2
    for pattern in patterns:
        assert any(re.search(pattern, path) for path in PATHS), pattern
    limit = re.search(r"client_max_body_size (\d+)m;", NGINX)
    assert limit and int(limit[1]) * 2**20 == Settings.__dataclass_fields__["max_body_bytes"].default
    braces = [NGINX.count(sign) for sign in "{}"]
    assert braces[0] == braces[1]


def test_every_variable_to_be_set_is_in_the_example() -> None:
    wanted = set(re.findall(r"\$\{(\w+)", COMPOSE_TEXT))
    assert wanted == set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def samples() -> Iterator[str]:
    """Names of the series that ``/metrics`` shows."""
    metrics = Metrics()
    metrics.request("GET", "/v1/targets", 200, 0.1)
    metrics.predicted(1.0, {"table": 1.0, "regressor": 0.0, "roofline": 0.0})
    for text in (metrics.text(), metrics.jobs_text({})):
        for family in text_string_to_metric_families(text.decode()):
            yield from (sample.name for sample in family.samples)


def test_alerts_ask_for_metrics_and_routes_that_exist() -> None:
    known = set(samples()) | {"up"}
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 5
    for rule in rules:
        asked = set(re.findall(r"\b(archgauge_\w+|up)\b(?=[{\[])", rule["expr"]))
        assert asked and asked <= known, (rule["alert"], asked - known)
        assert rule["annotations"]["summary"] and rule["labels"]["severity"] in ("info", "warning", "critical")
        for path in re.findall(r'route="([^"]+)"', rule["expr"]):
            assert path in PATHS
