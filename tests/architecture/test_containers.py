"""The container files run commands, ports and variables that the code knows."""

import re
import tomllib
from pathlib import Path

import click
import yaml

from archgauge.cli import app
from archgauge.options import DATA_DIR_VARIABLE

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def options(words: list[str]) -> tuple[set[str], dict[str, object]]:
    """Options of the command that ``words`` names, and their defaults."""
    command = app.get_command(click.Context(app), words[0])
    assert command is not None
    return {opt for p in command.params for opt in p.opts}, {p.name or "": p.default for p in command.params}


def instruction(name: str) -> list[str]:
    match = re.search(rf"^{name} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert match, f"no {name} in the Dockerfile"
    return list(yaml.safe_load(match[1]))


def test_the_image_runs_our_command_as_another_user() -> None:
    words = instruction("ENTRYPOINT") + instruction("CMD")
    assert words[0] == "archgauge"
    known, _ = options(words[1:])
    assert {word for word in words if word.startswith("--")} <= known
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


def test_compose_publishes_the_port_that_is_served() -> None:
    api = COMPOSE["services"]["api"]
    _, defaults = options(["serve"])
    port = instruction("CMD")[instruction("CMD").index("--port") + 1]
    assert int(port) == defaults["port"]
    assert [entry.rsplit(":", 1)[1] for entry in api["ports"]] == [port]
    assert f":{port}/healthz" in " ".join(api["healthcheck"]["test"])


def test_compose_keeps_the_data_in_a_volume() -> None:
    api = COMPOSE["services"]["api"]
    places = dict(reversed(entry.split(":")) for entry in api["volumes"])
    data = re.search(rf"{DATA_DIR_VARIABLE}=(\S+)", DOCKERFILE)
    assert data and places[data[1]] in COMPOSE["volumes"]
