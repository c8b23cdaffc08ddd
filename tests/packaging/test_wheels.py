"""The built wheels, installed into empty environments: the client alone, the agent's extra alone, everything."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ["graphs", "lookup_tables", "profilers", "predictors", "service", "archgauge"]
SQUEEZENET = "backend/test/data/light/light_squeezenet.onnx"

pytestmark = pytest.mark.slow


class Environment:
    """A virtual environment with some wheels in it and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")

    def run(self, *command: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        result = self.try_to_run(*command)
        assert result.returncode == status, f"{command}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def try_to_run(self, *command: str) -> subprocess.CompletedProcess[str]:
        hidden = {"PYTHONPATH", "VIRTUAL_ENV", "ARCHGAUGE_DATA_DIR", "ARCHGAUGE_REFERENCES"}
        variables = {name: value for name, value in os.environ.items() if name not in hidden}
        program = [str(self.bin / command[0]), *command[1:]]
        return subprocess.run(program, cwd=self.folder, env=variables, capture_output=True, text=True, check=False)

    def python(self, code: str) -> str:
        return self.run("python", "-c", code).stdout.strip()

    def has(self, module: str) -> bool:
        return self.python(f"import importlib.util as u; print(u.find_spec({module!r}) is not None)") == "True"


def uv(*arguments: str) -> bool:
    """Run uv, which shares what it installs between environments; False where it is missing or fails."""
    if importlib.util.find_spec("uv") is None:
        return False
    return subprocess.run([sys.executable, "-m", "uv", "-q", *arguments], cwd=ROOT, check=False).returncode == 0


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Distribution name → wheel."""
    folder = tmp_path_factory.mktemp("wheels")
    for source in (ROOT, ROOT / "client"):
        if not uv("build", "--wheel", "--out-dir", str(folder), str(source)):
            pip = [sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "--wheel-dir", str(folder), str(source)]
            subprocess.run(pip, check=True)
    return {wheel.name.split("-")[0].replace("_", "-"): wheel for wheel in folder.glob("*.whl")}


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Environment]:
    def make(*requirements: str) -> Environment:
        result = Environment(tmp_path_factory.mktemp("environment") / "venv")
        python = str(result.bin / "python")
        if uv("venv", "--python", sys.executable, str(result.folder)) and uv(
            "pip", "install", "--python", python, *requirements
        ):
            return result
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(result.folder)], check=True)
        subprocess.run([python, "-m", "pip", "-q", "install", *requirements], check=True)
        return result

    return make


def test_every_file_of_the_packages_is_in_the_wheel(wheels: dict[str, Path]) -> None:
    """Migrations, assets, reference data and type markers included."""
    packed = set(zipfile.ZipFile(wheels["archgauge"]).namelist())
    packed |= {f"client/{name}" for name in zipfile.ZipFile(wheels["archgauge-client"]).namelist()}
    for folder in (*PACKAGES, "client/archgauge_client"):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert file.relative_to(ROOT).as_posix() in packed


def test_wheels_carry_the_licence(wheels: dict[str, Path]) -> None:
    for wheel in wheels.values():
        assert any(name.endswith("licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist())


def test_the_client_alone(wheels: dict[str, Path], environment: Callable[..., Environment]) -> None:
    alone = environment(str(wheels["archgauge-client"]))
    alone.python("import archgauge_client, archgauge_client.wire")
    for module in ("numpy", "onnx", *PACKAGES):
        assert not alone.has(module), module


def test_the_agents_extra_alone(wheels: dict[str, Path], environment: Callable[..., Environment]) -> None:
    device = environment(str(wheels["archgauge-client"]), f"{wheels['archgauge']}[agent]")
    for module in ("fastapi", "sqlalchemy", "alembic", "xgboost", "sklearn", "scipy", "pyarrow", "pandas"):
        assert not device.has(module), module
    device.python("import graphs, lookup_tables, profilers, archgauge_client.wire")
    assert "profile" in device.run("archgauge", "--help").stdout
    model = device.python(f"import onnx, pathlib; print(pathlib.Path(onnx.__file__).parent / {SQUEEZENET!r})")
    assert "all equal" in device.run("archgauge", "lowering", "check", model).stdout
    measured = json.loads(device.run("archgauge", "measure", "--seconds", "1", "--json", model).stdout)
    assert measured[0]["latency_ms"]["median"] > 0
    refused = device.run("archgauge", "serve", "--data-dir", "data", status=1)
    assert "archgauge[serve]" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_everything(wheels: dict[str, Path], environment: Callable[..., Environment]) -> None:
    full = environment(str(wheels["archgauge-client"]), f"{wheels['archgauge']}[all]")
    full.python("import graphs, lookup_tables, profilers, predictors, service, archgauge.cli, xgboost")
    assert "predict" in full.run("archgauge", "--help").stdout
    full.run("archgauge", "db", "upgrade", "--data-dir", "data")
    listed = full.run("archgauge", "predictors", "list", "--json", "--data-dir", "data")
    assert json.loads(listed.stdout) == []
    model = full.python(f"import onnx, pathlib; print(pathlib.Path(onnx.__file__).parent / {SQUEEZENET!r})")
    for table in json.loads(full.run("archgauge", "tables", "list", "--json", "--data-dir", "data").stdout):
        wanted = ("--target", table["manifest"]["name"], "--json", "--data-dir", "data")
        [answer] = json.loads(full.run("archgauge", "predict", *wanted, model).stdout)
        assert answer["predictions"][0]["provenance"]["origin"] == "reference"
