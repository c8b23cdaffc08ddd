"""Public names are documented, and the root stays tidy."""

import inspect
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ["graphs", "lookup_tables", "profilers", "predictors", "service", "archgauge", "archgauge_client"]


def modules(package: str) -> Iterator[str]:
    yield package
    for info in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
        if ".migrations" not in info.name and not info.name.endswith("__main__"):
            yield info.name


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_imports_and_says_what_it_is_for(package: str) -> None:
    for name in modules(package):
        assert import_module(name).__doc__, f"{name} has no docstring"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_exists_and_is_documented(package: str) -> None:
    module: ModuleType = import_module(package)
    assert module.__all__, f"{package} exports nothing"
    for name in module.__all__:
        value = getattr(module, name)
        if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__.partition(".")[0] == package:
            assert inspect.getdoc(value), f"{package}.{name} has no docstring"


@pytest.mark.parametrize("package", PACKAGES)
def test_errors_are_drawn_as_a_tree(package: str) -> None:
    """The docstring of ``errors.py`` shows every exception in it."""
    file = next(
        (p for p in (ROOT / package / "errors.py", ROOT / "client" / package / "errors.py") if p.exists()), None
    )
    if file is None:
        pytest.skip(f"{package} has no exceptions of its own")
    module = import_module(f"{package}.errors")
    tree = module.__doc__ or ""
    for name, value in vars(module).items():
        if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == module.__name__:
            assert re.search(rf"\b{name}\b", tree), f"{name} is missing from the tree in {file.name}"


def test_no_paths_of_one_machine() -> None:
    """Nothing written down works on the machine of its author only."""
    suspicious = re.compile(r"/home/\w+|/Users/\w+|/root/|/work/|C:\\\\Users")
    own = Path(__file__).name
    for pattern in ("*.py", "*.md", "*.toml", "*.yml", "Makefile", "Dockerfile", "*.json"):
        for file in ROOT.rglob(pattern):
            parts = file.relative_to(ROOT).parts
            if file.name == own or any(part.startswith(".") and part != ".ci" for part in parts):
                continue
            if {"build", "dist"} & set(parts):
                continue
            found = suspicious.search(file.read_text(encoding="utf-8", errors="replace"))
            assert found is None, f"{file.relative_to(ROOT)} mentions {found[0] if found else ''}"
