"""What a user gets who installs the package without our pinned versions."""

import os
import subprocess
import sys
from pathlib import Path

from provision import python_env

_ROOT = Path(__file__).parents[2]
_IMPORT_EVERYTHING = Path(__file__).with_name("import_everything.py").read_text()


def test_an_install_from_the_declared_bounds_alone_imports_everything(tmp_path: Path) -> None:
    """With an open `boto3` a resolver once fell back to 0.0.3, which does not import."""
    uv, python = Path(sys.executable).with_name("uv"), tmp_path / "venv/bin/python"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= python_env.index_settings()
    commands: list[list[str | Path]] = [
        [uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"],
        [uv, "pip", "install", "--quiet", "--python", python, _ROOT],
        [python, "-c", _IMPORT_EVERYTHING],
    ]
    for command in commands:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
