"""README and the documents name every command, and what they tell people to type exists."""

import json
import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

from archgauge.cli import COMMANDS, app
from graphs import LoweringProfile, lower, prepare
from service.settings import Settings

ROOT = Path(__file__).parents[2]


def commands() -> dict[str, click.Command]:
    """Every command that can be typed, groups unfolded: ``tables list``."""
    found: dict[str, click.Command] = {}
    context = click.Context(app)
    for name in COMMANDS:
        command = app.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= {f"{name} {sub}": c for sub, c in command.commands.items()}
        else:
            found[name] = command
    return found


@pytest.mark.parametrize("name", sorted(commands()))
def test_help_has_an_example_and_explains_every_option(name: str) -> None:
    command = commands()[name]
    assert command.help, f"{name} does not say what it does"
    assert f"archgauge {name}" in (command.epilog or ""), f"{name} has no example"
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.opts[0]} is not explained"


@pytest.mark.parametrize("name", sorted(commands()))
def test_examples_in_help_are_valid(name: str) -> None:
    """Options in the examples exist; files need not."""
    command = commands()[name]
    known = {text for option in command.params for text in option.opts} | {"--help"}
    for line in (command.epilog or "").splitlines():
        if line.strip().startswith("archgauge "):
            for word in line.split():
                if word.startswith("--"):
                    assert word.partition("=")[0] in known, f"{name}: {word} in {line.strip()!r}"


@pytest.mark.parametrize("name", sorted(commands()))
def test_the_command_line_is_documented(name: str) -> None:
    assert f"archgauge {name}" in (ROOT / "docs/command-line.md").read_text()


def test_the_example_of_a_graph_can_be_lowered() -> None:
    example = re.search(r"```json\n(.*?)```", (ROOT / "docs/graph-json.md").read_text(), re.DOTALL)
    assert example
    kernels = lower(prepare(json.loads(example[1]), batch_size=2), LoweringProfile())
    assert "com.microsoft.nchwc.Conv" in {kernel.kind for kernel in kernels}


def test_every_setting_of_the_service_is_documented() -> None:
    text = (ROOT / "docs/http-api.md").read_text()
    for field in fields(Settings):
        assert f"`ARCHGAUGE_{field.name.upper()}`" in text


DOCUMENTS = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    *(f"docs/{f.name}" for f in (ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_tell_nothing_that_is_not_there(document: str) -> None:
    """Files, folders, make targets and commands that are mentioned exist."""
    text = (ROOT / document).read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z]+)\b`", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
    for path in re.findall(
        r"`((?:graphs|lookup_tables|profilers|predictors|service|archgauge|client|tests|docs)/[\w/.]*)`", text
    ):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert ((ROOT / document).parent / path).exists(), path
    names = {name.split()[0] for name in commands()}
    for name in re.findall(r"(?:^|`)archgauge ([a-z]+)", text, re.MULTILINE):
        assert name in names, f"archgauge {name}"
