"""Shows an object's phases as they change, from kubectl's own watch."""

import time
from pathlib import Path

from demonstration.stages import say
from provision import binaries
from provision.keeper import Keeper, last_lines
from stack import Stack, StackError

# Not parted by tabs, of which kubectl makes columns.
_COLUMNS = (
    '{.metadata.name}{"|"}{.status.phase}{"|"}{.status.taskID}{"|"}'
    '{.status.conditions[?(@.type=="Ready")].message}{"\\n"}'
)
_LOOK_AGAIN = 0.05
_WATCHING_WITHIN = 30.0


class PhaseWatch:
    """`kubectl get vgen --watch` for as long as the block lasts."""

    def __init__(self, stack: Stack, keeper: Keeper, name: str) -> None:
        self._stack = stack
        self._keeper = keeper
        self._name = name
        self._output = keeper.directory / "watch.out"
        kubectl = binaries.find() / "kubectl"
        command: list[str | Path] = [kubectl, "get", "vgen", "--watch", f"--output=jsonpath={_COLUMNS}"]
        keeper.start("kubectl", command, env=stack.plane.environment(), inherit=False, log=self._output)
        self._begun = time.monotonic()
        self._read = 0
        self._phase = ""
        self._wait_until_watching()

    def until_stored(self, timeout: float) -> None:
        """Print each new phase until it is Succeeded. Raises StackError when it fails, or takes too long."""
        self._begun = time.monotonic()
        say(f"  {'seconds':>7}  {'phase':<11}  what the object says")
        while self._phase != "Succeeded":
            for line in self._new_lines():
                self._show(line)
            if trouble := self._trouble(timeout):
                raise StackError(f"{trouble}. The operator's last lines:\n{last_lines(self._stack.operator.log_path)}")
            time.sleep(_LOOK_AGAIN)

    def _wait_until_watching(self) -> None:
        """The first phases last milliseconds; the audit log says when kubectl's watch was answered."""
        while not any(event["userAgent"].startswith("kubectl") for event in self._stack.audit(verbs=("watch",))):
            if trouble := self._trouble(_WATCHING_WITHIN):
                raise StackError(trouble)
            time.sleep(_LOOK_AGAIN)

    def _trouble(self, timeout: float) -> str | None:
        if self._phase == "Failed":
            return f"{self._name} has failed"
        if (code := self._stack.operator.exit_code()) is not None:
            return f"the operator ended (exit code {code})"
        if self._keeper.poll("kubectl") is not None:
            return f"kubectl ended its watch: {self._output.read_text()}"
        if time.monotonic() - self._begun > timeout:
            return f"{self._name} is {self._phase or 'not taken up'} after {timeout:g} s"
        return None

    def _show(self, line: str) -> None:
        name, phase, task, message = (*line.split("|", 3), "", "", "")[:4]
        if name != self._name or phase == self._phase:
            return
        self._phase = phase
        what = f"task {task}" if task and phase != "Succeeded" else message
        say(f"  {time.monotonic() - self._begun:7.1f}  {phase or '(new)':<11}  {what}")

    def _new_lines(self) -> list[str]:
        whole, _, _ = self._output.read_text().rpartition("\n")
        lines = whole.splitlines()
        new, self._read = lines[self._read :], len(lines)
        return new
