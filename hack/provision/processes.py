"""Whether a process still runs."""

import subprocess


def is_running(pid: int) -> bool:
    """False when there is no such process, or only its exit code waits for a parent to read it."""
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(told.stdout.strip()) and not told.stdout.strip().startswith("Z")
