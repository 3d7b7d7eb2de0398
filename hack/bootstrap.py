"""Gets what development needs, then runs a command with it; needs nothing but Python 3.11.

    python3 hack/bootstrap.py [part ...] [-- command ...]

Parts are `python` (virtual environment), `controlplane` (etcd, kube-apiserver, kubectl) and `helm`; those
named are made side by side. What is in the cache is not made again.
"""

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).absolute().parent.parent


def main(arguments: "list[str]") -> int:
    """Make the parts, then become the command."""
    if sys.version_info < (3, 11):  # noqa: UP036  # the one place that meets whatever python3 is
        print("Python 3.11 or newer is needed; this is {}.{}.".format(*sys.version_info), file=sys.stderr)
        print("Install one and name it: make PYTHON=/path/to/python3.11 ...", file=sys.stderr)
        return 1
    from provision import setup  # noqa: PLC0415  # an older Python could not read it

    parts, command = _split(arguments)
    if failed := setup.make(parts):
        return failed
    if command:
        os.execvpe(command[0], command, setup.environment(_ROOT))  # noqa: S606  # signals then reach it directly
    return 0


def _split(arguments: "list[str]") -> "tuple[list[str], list[str]]":
    if "--" not in arguments:
        return arguments, []
    cut = arguments.index("--")
    return arguments[:cut], arguments[cut + 1 :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
