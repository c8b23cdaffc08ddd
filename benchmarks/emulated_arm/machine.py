"""An ARM machine made of software: Debian's Python for arm64 and our wheels for aarch64, under QEMU's user mode.

Needed are apt-get, dpkg-deb and the keys of Debian's archive (on Ubuntu the package debian-archive-keyring); packages
come from the mirror that is named, by the proxies that apt and uv are configured for. Nobody needs to be root, nothing
of the system changes: all of it lies in one folder, some 700 MB, which may be deleted.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MIRROR = "http://deb.debian.org/debian"
#: A release with QEMU 10 (7.2 cannot even import onnxruntime 1.28 and later).
RELEASE, PYTHON = "trixie", "3.13"
#: With arithmetic in half precision, as most since 2018; a Raspberry Pi 4 is a ``cortex-a72``, which has none.
CPU = "neoverse-n1"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_PACKAGES = ("graphs", "lookup_tables", "profilers", "predictors", "service", "archgauge", "client/archgauge_client")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class NoEmulation(RuntimeError):
    """The machine could not be set up; the message says why."""


@dataclass(frozen=True, slots=True)
class EmulatedArm:
    """An ARM machine in a folder."""

    folder: Path

    @property
    def python(self) -> Path:
        """Looks and behaves as a Python for aarch64; its child processes are emulated too."""
        return self.folder / "python"

    def ask(self, *arguments: str) -> str:
        """What Python there prints when it is run with these arguments. Raises NoEmulation where it fails."""
        return _run([str(self.python), *arguments], cwd=self.folder)

    @classmethod
    def prepare(cls, folder: Path, say: Callable[[str], None], cpu: str = CPU, mirror: str = MIRROR) -> EmulatedArm:
        """Set up what is missing (some 200 MB to fetch at first), with the wheels of the code as it is now.

        ``cpu`` is one of those that ``qemu-aarch64 -cpu help`` lists.

        Raises:
            NoEmulation: a tool is missing, or a package cannot be had.
        """
        if platform.system() != "Linux" or not all(map(shutil.which, ("apt-get", "dpkg-deb", "tar"))):
            raise NoEmulation("this needs Linux with apt-get and dpkg-deb (Debian, Ubuntu)")
        machine = cls(folder.resolve())
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "system.ready").exists():
            say("fetching QEMU, and Python for arm64 with what it needs ...")
            machine._fetch_qemu(mirror)
            machine._fetch_system(mirror)
            (folder / "system.ready").touch()
        sources, ready = _hash_of_sources(), folder / "wheels.ready"
        if not ready.exists() or ready.read_text() != sources:
            say("making our wheels, and fetching what they need for aarch64 ...")
            machine._install_wheels()
            ready.write_text(sources)
        machine._write_launcher(cpu)
        return machine

    def _fetch_qemu(self, mirror: str) -> None:
        apt = self._apt(_ARCHITECTURES[platform.machine()], mirror)
        package = self.folder / "qemu"
        package.mkdir(exist_ok=True)
        _run([*apt, "update"])
        _run([*apt, "download", "qemu-user"], cwd=package)
        file = max(package.glob("qemu-user_*.deb"))
        _run(f"dpkg-deb --fsys-tarfile {shlex.quote(str(file))} | tar -x --strip-components=3 ./usr/bin/qemu-aarch64",
             cwd=package, shell=True)  # fmt: skip
        file.unlink()

    def _fetch_system(self, mirror: str) -> None:
        apt = self._apt("arm64", mirror)
        _run([*apt, "update"])
        wanted = ["python3", "libstdc++6"]
        _run([*apt, "install", "--download-only", "--yes", "--no-install-recommends", *wanted])
        for part in ("bin", "lib", "sbin"):  # as Debian's base-files has them
            (self.folder / "root/usr" / part).mkdir(parents=True, exist_ok=True)
            if not (self.folder / "root" / part).exists():
                (self.folder / "root" / part).symlink_to(f"usr/{part}")
        for file in sorted((self.folder / "apt-arm64/archives").glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(file), str(self.folder / "root")])
            file.unlink()

    def _apt(self, architecture: str, mirror: str) -> list[str]:
        """apt-get with a state of its own, to which nothing is installed yet."""
        state = self.folder / f"apt-{architecture}"
        for part in ("lists/partial", "archives/partial"):
            (state / part).mkdir(parents=True, exist_ok=True)
        (state / "status").touch()
        (state / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {mirror} {RELEASE} main\n")
        settings = {
            "Dir::State": state, "Dir::State::status": state / "status", "Dir::Cache": state,
            "Dir::Etc::SourceList": state / "sources.list", "Dir::Etc::SourceParts": "/dev/null",
            "APT::Architecture": architecture, "APT::Architectures": architecture, "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
        }  # fmt: skip
        return ["apt-get", "--quiet=2", *(f"-o{name}={value}" for name, value in settings.items())]

    def _install_wheels(self) -> None:
        uv, made = [sys.executable, "-m", "uv", "--quiet"], self.folder / "made"
        shutil.rmtree(made, ignore_errors=True)
        for source in (ROOT, ROOT / "client"):
            _run([*uv, "build", "--wheel", "--out-dir", str(made), str(source)])
        ours = {file.name.partition("-")[0]: file.as_uri() for file in made.glob("*.whl")}
        _run([
            *uv, "pip", "install", "--target", str(self.folder / "wheels"), "--only-binary", ":all:",
            "--python-version", PYTHON, "--python-platform", "aarch64-manylinux_2_39",
            "--reinstall-package", "archgauge", "--reinstall-package", "archgauge-client",
            f"archgauge[agent] @ {ours['archgauge']}", f"archgauge-client @ {ours['archgauge_client']}",
        ])  # fmt: skip

    def _write_launcher(self, cpu: str) -> None:
        """A script that children can be started by; Python takes its name for its own (-0)."""
        here = shlex.quote(str(self.folder))
        self.python.write_text(
            "#!/bin/sh\n"
            f'here={here}\nsystem="$here/root"\n'
            'export PYTHONHOME="$system/usr" PYTHONPATH="${PYTHONPATH:+$PYTHONPATH:}$here/wheels" PYTHONUTF8=1\n'
            f'exec "$here/qemu/qemu-aarch64" -cpu {shlex.quote(cpu)} -L "$system" -0 "$0" '
            f'"$system/usr/bin/python{PYTHON}" "$@"\n'
        )
        self.python.chmod(0o755)


def _hash_of_sources() -> str:
    """Of all that our wheels are made of."""
    hashed = hashlib.sha256()
    for part in ("pyproject.toml", "client/pyproject.toml", *_PACKAGES):
        for file in sorted((ROOT / part).rglob("*")) if (ROOT / part).is_dir() else [ROOT / part]:
            if file.is_file() and "__pycache__" not in file.parts:
                hashed.update(file.read_bytes())
    return hashed.hexdigest()


def _run(command: Sequence[str] | str, **options: Any) -> str:
    environment = os.environ | {"LC_ALL": "C"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, **options)
    if done.returncode != 0:
        what = command if isinstance(command, str) else " ".join(command)
        raise NoEmulation(f"{what[:200]} failed: {done.stderr.strip()[-1000:]}")
    output: str = done.stdout
    return output
