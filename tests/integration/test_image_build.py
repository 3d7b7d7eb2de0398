"""The Dockerfile's steps, as far as they can be run without a container engine, and what the image would then do.

The first stage is performed in a temporary folder, from the file itself. The base image is this Python, the uv that it
installs is that of the development environment, and packages may come from uv's cache.
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from podrunner import container
from provision import python_env

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
IMPORT_EVERYTHING = Path(__file__).with_name("import_everything.py").read_text()
UV = Path(sys.executable).with_name("uv")
BAD_SETTINGS = 2


def first_stage() -> Iterator[tuple[str, str]]:
    """Its instructions, such as `RUN` and the command."""
    stage = DOCKERFILE.read_text().split("\nFROM ")[1]
    lines = [line for line in stage.splitlines()[1:] if not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            instruction, _, rest = line.partition(" ")
            yield instruction, rest.strip()


@dataclass(frozen=True, slots=True)
class Image:
    """The folder that would be `/app`."""

    app: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Python in the last stage's environment, and in nothing else."""
        environment = {**container.image_environment(DOCKERFILE), "PATH": f"{self.app}/bin:{os.defpath}"}
        command: list[str | Path] = [self.app / "bin/python", *arguments]
        return subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)

    def told(self, program: str) -> list[str]:
        """The lines that a program prints."""
        done = self.run("-c", program)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """What the first stage makes."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "src").mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment = {**kept, **python_env.index_settings(), "PATH": f"{UV.parent}:{os.environ['PATH']}"}
    for instruction, rest in first_stage():
        match instruction:
            case "ENV":
                environment |= dict(word.split("=", 1) for word in shlex.split(here(rest, folder)))
            case "COPY":
                copy(*rest.split(), to=folder / "src")
            case "RUN" if not rest.startswith("pip install"):
                run(here(rest, folder), environment, folder / "src")
            case "RUN" | "ARG" | "WORKDIR":
                pass
            case _:
                pytest.fail(f"this test cannot perform {instruction} {rest}")
    return Image(folder / "app")


def here(words: str, folder: Path) -> str:
    """Words of the Dockerfile with the paths of this machine."""
    return re.sub(r"(?<=[ =])/app\b", str(folder / "app"), words).replace("/usr/local/bin/python", sys.executable)


def copy(*words: str, to: Path) -> None:
    *sources, target = words
    for source in sources:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, to / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, to / target)


def run(command: str, environment: dict[str, str], cwd: Path) -> None:
    command = command.replace("--no-cache ", "")  # which keeps the image small
    done = subprocess.run(["sh", "-c", command], env=environment, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr}"


def test_the_steps_are_performed_with_the_uv_that_they_name() -> None:
    (wanted,) = re.findall(r"^ARG UV=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    told = subprocess.run([UV, "--version"], capture_output=True, text=True, check=True).stdout
    assert told.startswith(f"uv {wanted}.")


def test_what_the_image_lacks_is_missed_by_no_module(image: Image) -> None:
    done = image.run("-c", IMPORT_EVERYTHING)
    assert done.returncode == 0, done.stderr


def test_the_image_holds_the_hashed_requirements_and_us(image: Image) -> None:
    """Some of them are for other machines only."""
    listed = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    held = image.told(
        "import importlib.metadata as m\nfor d in m.distributions(): print(d.name.lower().replace('_', '-'))"
    )
    assert set(held) <= {*listed, "videogen-operator"}
    assert {"boto3", "httpx", "kopf", "kubernetes", "videogen-operator"} <= set(held)


def test_the_image_knows_s3_and_the_ways_to_log_in_and_little_else(image: Image) -> None:
    known = image.told("import boto3\nfor name in boto3.Session().get_available_services(): print(name)")
    assert {"s3", "sts", "sso", "sso-oidc", "signin"} <= set(known)
    assert len(known) < 10


def test_the_image_has_no_asynchronous_half_of_kubernetes(image: Image) -> None:
    (kubernetes,) = image.app.glob("lib/python*/site-packages/kubernetes")
    assert (kubernetes / "client").is_dir()
    assert not (kubernetes / "aio").exists()


def test_bytecode_is_shipped_for_all_of_it(image: Image) -> None:
    """It could not be written later, and an import takes four times as long without."""
    (packages,) = image.app.glob("lib/python*/site-packages")
    sources = [path for path in packages.rglob("*.py") if path.stat().st_size]
    assert len(sources) > 1000
    assert [path for path in sources if not Path(importlib.util.cache_from_source(str(path))).exists()] == []


def test_the_simulator_runs_in_the_image(image: Image) -> None:
    done = image.run("-m", "videogen_simulator", "--help")
    assert done.returncode == 0, done.stderr
    assert "usage: python -m videogen_simulator" in done.stdout


def test_the_operator_says_in_the_image_which_setting_it_lacks(image: Image) -> None:
    done = image.run("-m", "videogen_operator")
    assert done.returncode == BAD_SETTINGS
    assert done.stderr.startswith("videogen-operator: VIDEOGEN_NAMESPACE is not set")
