"""`docs/simulator.md` shows what the simulator really says: every exchange in it is performed here and compared.

To write the page's blocks anew after a change:
`PYTHONPATH=operator:tests python tests/unit/test_simulator_page.py`.
"""

import argparse
import base64
import json
import pathlib
import re
import socket
from collections.abc import Callable, Mapping

import pytest

from videogen_simulator.__main__ import parser
from videogen_simulator.clock import ManualClock
from videogen_simulator.scenarios import SCENARIOS
from videogen_simulator.server import Simulator
from videogen_simulator.settings import Settings

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "simulator.md"
BLOCK = re.compile(r"(<!-- (\w+): ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
JSON_KIND = "application/json"
FORM_KIND = "multipart/form-data; boundary=limit"
PNG_START = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
FAST = "veo-3.1-fast-generate-preview"


class Stage:
    """A simulator with a fixed seed and a clock that stands still; it keeps what was said on the wire."""

    def __init__(self, simulator: Simulator, clock: ManualClock) -> None:
        self.simulator = simulator
        self.clock = clock
        self.shown: list[str] = []

    def ask(self, method: str, target: str, body: str = "", *, kind: str = JSON_KIND, key: str = "sim-key") -> str:
        """One exchange that the page shows; the body of the reply."""
        lines = [f"{method} {target} HTTP/1.1"]
        if not target.startswith("/_sim"):
            lines.append(f"Authorization: Bearer {key}")
        if body:
            lines += [f"Content-Type: {kind}", f"Content-Length: {len(body.encode())}"]
        sent = "\r\n".join([*lines, "", body])
        reply = exchanged(self.simulator.url, sent.encode())
        self.shown.append(f"```http\n{plain(sent)}\n```\n\n```http\n{shown_reply(reply)}\n```\n")
        return reply.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")

    def submit(self, **fields: object) -> str:
        """A POST that the page shows; the task's id, if one was made."""
        body = self.ask("POST", "/v1/videos", json.dumps({"model": FAST, "prompt": "a cat", **fields}))
        return str(json.loads(body).get("id", "")) if body else ""

    def task(self, prompt: str = "a cat") -> str:
        """A task made without a word."""
        name = self.submit(prompt=prompt)
        self.shown.clear()
        return name


def exchanged(url: str, sent: bytes) -> bytes:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def plain(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip("\n")


def shown_reply(reply: bytes) -> str:
    """The reply as text; a clip as its size."""
    if not reply:
        return "(the connection is closed without an answer)"
    head, _, body = reply.partition(b"\r\n\r\n")
    text = f"({len(body)} bytes, an MP4 file)" if body[4:8] == b"ftyp" else body.decode()
    return plain(head.decode() + "\r\n\r\n" + text)


def multipart(**fields: str) -> str:
    head = '--limit\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    parts = [head.format(name, text) for name, text in fields.items()]
    return "".join([*parts, "--limit--\r\n"])


def life_of_a_task(stage: Stage) -> None:
    name = stage.submit(duration="8", seconds="8", metadata={"durationSeconds": 8, "resolution": "1080p"})
    stage.clock.advance(40)
    stage.ask("GET", f"/v1/videos/{name}")
    stage.clock.advance(100)
    stage.ask("GET", f"/v1/videos/{name}")
    stage.ask("GET", f"/v1/videos/{name}/content")


def content_is_late(stage: Stage) -> None:
    name = stage.task("[[sim:takes seconds=60]]")
    stage.clock.advance(60)
    stage.ask("GET", f"/v1/videos/{name}/content")


def content_expires(stage: Stage) -> None:
    name = stage.task()
    stage.clock.advance(172_800 + 90)
    stage.ask("GET", f"/v1/videos/{name}/content")


def another_account(stage: Stage) -> None:
    name = stage.task()
    stage.ask("GET", f"/v1/videos/{name}", key="key-of-b")
    stage.ask("GET", f"/v1/videos/{name}/content", key="key-of-b")


def open_tasks(stage: Stage) -> None:
    stage.simulator.change(max_open=1)
    stage.task()
    stage.submit()


def no_money(stage: Stage) -> None:
    stage.ask("POST", "/_sim/settings", json.dumps({"balances": {"a": 0.2}}))
    stage.shown.clear()
    stage.submit()


def failure(stage: Stage) -> None:
    name = stage.task("[[sim:failed-policy]] a cat")
    stage.clock.advance(8)
    stage.ask("GET", f"/v1/videos/{name}")


def arming(stage: Stage) -> None:
    armed = {"name": "rate-limited", "parameters": {"retry_after": 7}, "posts": 1}
    stage.ask("POST", "/_sim/scenario", json.dumps(armed))
    stage.submit()
    stage.ask("DELETE", "/_sim/scenario")


def the_ledger(stage: Stage) -> None:
    name = stage.task("[[sim:takes seconds=60]] a cat")
    stage.clock.advance(64)
    stage.ask("GET", f"/v1/videos/{name}")
    stage.ask("GET", f"/v1/videos/{name}/content")
    stage.shown.clear()
    stage.ask("GET", f"/_sim/ledger?task={name}")


def form(**fields: str) -> Callable[[Stage], object]:
    body = multipart(model=FAST, prompt="a cat", **fields)
    return lambda stage: stage.ask("POST", "/v1/videos", body, kind=FORM_KIND)


def post(**fields: object) -> Callable[[Stage], object]:
    return lambda stage: stage.submit(**fields)


EXCHANGES: dict[str, Callable[[Stage], object]] = {
    "life": life_of_a_task,
    "form": form(seconds="8", durationSeconds="8", aspectRatio="9:16"),
    "number": post(duration=8),
    "number-seconds": post(seconds=8),
    "default": post(metadata={"resolution": "4k"}),
    "length-metadata": post(size="1920x1080", metadata={"durationSeconds": 6}, duration="8", seconds="8"),
    "length-duration": post(size="1920x1080", duration="6", seconds="8"),
    "length-seconds": post(size="1920x1080", seconds="6"),
    "length-form": form(size="1920x1080", seconds="6", duration="8"),
    "length-text": post(metadata={"durationSeconds": "8"}),
    "resolution-first": post(size="3840x2160", metadata={"resolution": "1080p"}, seconds="6"),
    "image": post(input_reference=f"data:image/png;base64,{PNG_START}"),
    "no-model": post(model=""),
    "length": post(metadata={"resolution": "4k"}, duration="6"),
    "audio": post(metadata={"generateAudio": True}),
    "remote-image": post(input_reference="https://example.org/cat.png"),
    "size": post(size="640x480"),
    "no-prompt": post(prompt=""),
    "model": post(model="veo-9"),
    "key": lambda stage: stage.ask("GET", "/v1/videos/task_x", key="wrong"),
    "account": another_account,
    "open": open_tasks,
    "balance": no_money,
    "late": content_is_late,
    "expired": content_expires,
    "failed": failure,
    "lost": post(prompt="[[sim:answer-lost]] a cat"),
    "misspelt": post(prompt="[[sim:rate-limited retry-after=7]] a cat"),
    "arming": arming,
    "settings": lambda stage: stage.ask("POST", "/_sim/settings", '{"time_scale": 60, "balances": {"a": 5}}'),
    "complete": lambda stage: stage.ask("POST", "/_sim/complete"),
    "health": lambda stage: stage.ask("GET", "/_sim/health"),
    "ledger": the_ledger,
}


def exchange(name: str) -> str:
    """The exchange as the page shows it; the ledger's JSON is laid out for reading."""
    clock = ManualClock()
    with Simulator(Settings(keys={"sim-key": "a", "key-of-b": "b"}), clock=clock, seed="1") as simulator:
        stage = Stage(simulator, clock)
        EXCHANGES[name](stage)
    text = "\n".join(stage.shown)
    return re.sub(r'(?<=\n)(\{"now".*)(?=\n)', lambda found: json.dumps(json.loads(found[1]), indent=1), text)


def scenarios() -> str:
    rows = [f"| `{name}` | {parameters(row.takes)} | {row.says} |" for name, row in SCENARIOS.items()]
    return "\n".join(["| marker | parameters | what happens |", "| --- | --- | --- |", *rows]) + "\n"


def parameters(takes: Mapping[str, object]) -> str:
    words = [f"{name}={'/'.join(value) if isinstance(value, tuple) else value}" for name, value in takes.items()]
    return ", ".join(f"`{word}`" for word in words) or "-"


def options() -> str:
    actions = [action for action in parser()._actions if action.dest != "help"]
    rows = [f"| `{usage(action)}` | {(action.help or '') % vars(action)} |" for action in actions]
    return "\n".join(["| option | meaning |", "| --- | --- |", *rows]) + "\n"


def usage(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return action.option_strings[0] + value


def rendered(kind: str, name: str) -> str:
    """What stands in a block of the page."""
    if kind == "exchange":
        return "\n" + exchange(name) + "\n"
    return "\n" + {"scenarios": scenarios, "options": options}[name]() + "\n"


@pytest.mark.parametrize("name", EXCHANGES)
def test_the_page_shows_the_exchange_as_it_is(name: str) -> None:
    blocks = {found[3]: found[4] for found in BLOCK.finditer(PAGE.read_text()) if found[2] == "exchange"}
    assert blocks[name] == rendered("exchange", name)


@pytest.mark.parametrize("name", ["scenarios", "options"])
def test_the_page_lists_what_there_is(name: str) -> None:
    blocks = {found[3]: found[4] for found in BLOCK.finditer(PAGE.read_text()) if found[2] == "table"}
    assert blocks[name] == rendered("table", name)


def test_the_page_has_no_block_that_nothing_checks() -> None:
    text = PAGE.read_text()
    assert sorted(found[3] for found in BLOCK.finditer(text)) == sorted([*EXCHANGES, "scenarios", "options"])
    outside = BLOCK.sub("", text)
    assert "HTTP/1.1" not in outside


def write() -> None:
    """Put the blocks of the page right."""
    PAGE.write_text(BLOCK.sub(lambda found: found[1] + rendered(found[2], found[3]) + found[5], PAGE.read_text()))


if __name__ == "__main__":
    write()
