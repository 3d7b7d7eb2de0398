"""`docs/simulator.md` shows what the simulator really says: every exchange in it is performed here and compared.

To write the page's blocks anew after a change:
`PYTHONPATH=operator:tests python tests/unit/test_simulator_page.py`.
"""

import argparse
import ast
import base64
import json
import pathlib
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from videogen_simulator import answers, bodies, book, control, images, routes, rules, settings
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
GIF_START = base64.b64encode(b"GIF89a").decode()
FAST = "veo-3.1-fast-generate-preview"


class Stage:
    """A simulator with a fixed seed and a clock that stands still; it keeps what was said on the wire."""

    def __init__(self, simulator: Simulator, clock: ManualClock) -> None:
        self.simulator = simulator
        self.clock = clock
        self.shown: list[str] = []

    def ask(
        self, method: str, target: str, body: str = "", *, kind: str = JSON_KIND, key: str = "sim-key", more: str = ""
    ) -> str:
        """One exchange that the page shows, `more` a header line of its own; the body of the reply."""
        lines = [f"{method} {target} HTTP/1.1"]
        if not target.startswith("/_sim"):
            lines.append(f"Authorization: Bearer {key}")
        if more:
            lines.append(more)
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

    def look_up(self, *wanted: str) -> None:
        """What the ledger says of the tasks, cut down to the fields that show the effect of a rule."""
        target = "/_sim/ledger"
        reply = exchanged(self.simulator.url, f"GET {target} HTTP/1.1\r\n\r\n".encode())
        tasks = json.loads(reply.partition(b"\r\n\r\n")[2])["tasks"]
        found = json.dumps({"tasks": [cut(task, wanted) for task in tasks]})
        self.shown.append(f"```http\nGET {target} HTTP/1.1\n```\n\n```json\n{found}\n```\n")

    def task(self, prompt: str = "a cat") -> str:
        """A task made without a word."""
        name = self.submit(prompt=prompt)
        self.shown.clear()
        return name


def cut(task: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    """The wanted fields of a task in the ledger; `request.NAME` is one of its request."""
    request = {name: value for name, value in task["request"].items() if f"request.{name}" in wanted}
    own = {name: value for name, value in task.items() if name in wanted}
    return {"request": request, **own} if request else own


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


def multipart(fields: Mapping[str, str], pictures: Sequence[str]) -> str:
    head = '--limit\r\nContent-Disposition: form-data; name="{}"'
    parts = [f"{head.format(name)}\r\n\r\n{text}\r\n" for name, text in fields.items()]
    file = f'{head.format("input_reference")}; filename="cat.webp"\r\nContent-Type: image/webp'
    parts += [f"{file}\r\n\r\n{picture}\r\n" for picture in pictures]
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


def no_range(stage: Stage) -> None:
    name = stage.task("[[sim:takes seconds=60]]")
    stage.clock.advance(64)
    stage.ask("GET", f"/v1/videos/{name}/content", more="Range: bytes=0-99")


def another_account(stage: Stage) -> None:
    name = stage.task()
    stage.ask("GET", f"/v1/videos/{name}", key="second-key")
    stage.ask("GET", f"/v1/videos/{name}", key="key-of-b")
    stage.ask("GET", f"/v1/videos/{name}/content", key="key-of-b")


def open_tasks(stage: Stage) -> None:
    stage.simulator.change(max_open=1)
    stage.submit()
    stage.submit()


def prices(stage: Stage) -> None:
    stage.submit(metadata={"resolution": "4k"}, input_reference=PNG_START)
    stage.submit(model="veo-3.1-generate-preview", seconds="4")
    stage.look_up("price", "billed")
    stage.clock.advance(360)
    stage.look_up("request.model", "request.seconds", "request.resolution", "price", "billed", "polls")


def free(stage: Stage) -> None:
    stage.submit(prompt="[[sim:failed-internal seconds=20]] a cat")
    stage.clock.advance(20)
    stage.look_up("status", "price", "billed")


def no_money(stage: Stage) -> None:
    stage.ask("POST", "/_sim/settings", json.dumps({"balances": {"a": 0.5}}))
    stage.shown.clear()
    stage.submit()
    stage.submit()


def failure(stage: Stage) -> None:
    name = stage.task("[[sim:failed-policy]] a cat")
    stage.clock.advance(8)
    stage.ask("GET", f"/v1/videos/{name}")
    stage.ask("GET", f"/v1/videos/{name}/content")


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


def form(*pictures: str, **fields: str) -> Callable[[Stage], object]:
    body = multipart({"model": FAST, "prompt": "a cat", **fields}, pictures)
    return lambda stage: stage.ask("POST", "/v1/videos", body, kind=FORM_KIND)


def post(**fields: object) -> Callable[[Stage], object]:
    return lambda stage: stage.submit(**fields)


def sent(body: str, kind: str = JSON_KIND) -> Callable[[Stage], object]:
    return lambda stage: stage.ask("POST", "/v1/videos", body, kind=kind)


def seen(asked: Callable[[Stage], object], *wanted: str) -> Callable[[Stage], object]:
    """The exchange, and after it what the ledger says of the task."""

    def both(stage: Stage) -> None:
        asked(stage)
        stage.look_up(*wanted)

    return both


IMAGE = ("request.image_sha256", "request.images_dropped", "request.encoding")

EXCHANGES: dict[str, Callable[[Stage], object]] = {
    "life": life_of_a_task,
    "form": seen(
        form(seconds="8", durationSeconds="8", aspectRatio="9:16"),
        "request.seconds",
        "request.aspect_ratio",
        "request.encoding",
    ),
    "form-metadata": seen(form(metadata='{"durationSeconds": 4}'), "request.seconds", "request.ignored"),
    "form-plain": seen(
        sent(f"model={FAST}&prompt=a+cat&seconds=4", "application/x-www-form-urlencoded"),
        "request.seconds",
        "request.encoding",
    ),
    "number": post(duration=8),
    "number-seconds": post(seconds=8),
    "default": seen(post(metadata={"resolution": "4k"}), "request.seconds", "request.resolution"),
    "length-other": post(seconds="5"),
    "length-metadata": post(size="1920x1080", metadata={"durationSeconds": 6}, duration="8", seconds="8"),
    "length-duration": post(size="1920x1080", duration="6", seconds="8"),
    "length-seconds": post(size="1920x1080", seconds="6"),
    "length-form": form(size="1920x1080", seconds="6", durationSeconds="8", duration="8"),
    "length-form-flat": form(size="1920x1080", durationSeconds="6", duration="8"),
    "length-text": post(metadata={"durationSeconds": "8"}),
    "resolution-first": post(size="3840x2160", metadata={"resolution": "1080p"}, seconds="6"),
    "resolution-other": post(metadata={"resolution": "2k"}),
    "aspect-first": seen(
        post(size="1280x720", metadata={"aspectRatio": "9:16"}), "request.aspect_ratio", "request.size"
    ),
    "aspect-form": seen(
        form(size="1920x1080", resolution="720p", aspectRatio="9:16"),
        "request.resolution",
        "request.aspect_ratio",
        "request.size",
    ),
    "seed": seen(
        post(metadata={"seed": 20260521, "negativePrompt": "text"}), "request.seed", "request.negative_prompt_sha256"
    ),
    "seed-part": post(metadata={"seed": 1.5}),
    "ignored": seen(
        post(seed=7, resolution="4k", metadata={"fps": 30}), "request.resolution", "request.seed", "request.ignored"
    ),
    "image": seen(post(input_reference=f"data:image/png;base64,{PNG_START}"), *IMAGE),
    "image-file": seen(form("RIFF1234WEBP"), *IMAGE),
    "image-second": seen(form("RIFF1234WEBP", "RIFF5678WEBP"), *IMAGE),
    "image-kind": post(input_reference=GIF_START),
    "no-model": post(model=""),
    "length": post(metadata={"resolution": "4k"}, duration="6"),
    "audio": post(metadata={"generateAudio": True}),
    "remote-image": post(input_reference="https://example.org/cat.png"),
    "size": post(size="640x480"),
    "no-prompt": post(prompt=""),
    "model": post(model="veo-9"),
    "not-json": sent("model=veo"),
    "no-boundary": sent("--limit--", "multipart/form-data"),
    "no-list": lambda stage: stage.ask("GET", "/v1/videos"),
    "key": lambda stage: stage.ask("GET", "/v1/videos/task_x", key="wrong"),
    "account": another_account,
    "open": open_tasks,
    "prices": prices,
    "free": free,
    "balance": no_money,
    "late": content_is_late,
    "expired": content_expires,
    "range": no_range,
    "failed": failure,
    "lost": post(prompt="[[sim:answer-lost]] a cat"),
    "misspelt": post(prompt="[[sim:rate-limited retry-after=7]] a cat"),
    "scenario-first": post(model="veo-9", prompt="[[sim:rate-limited]] a cat"),
    "arming": arming,
    "settings": lambda stage: stage.ask("POST", "/_sim/settings", '{"time_scale": 60, "balances": {"a": 5}}'),
    "complete": lambda stage: stage.ask("POST", "/_sim/complete"),
    "health": lambda stage: stage.ask("GET", "/_sim/health"),
    "ledger": the_ledger,
}


def exchange(name: str) -> str:
    """The exchange as the page shows it; the ledger's JSON is laid out for reading."""
    clock = ManualClock()
    with Simulator(
        Settings(keys={"sim-key": "a", "second-key": "a", "key-of-b": "b"}), clock=clock, seed="1"
    ) as simulator:
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


def test_the_page_names_every_control_call() -> None:
    named = set(re.findall(r"(?m)^\| `(\w+) /_sim(/\w+)[^`]*` \|", PAGE.read_text()))
    assert named == set(control.CALLS)


def test_the_page_names_every_setting() -> None:
    (row,) = re.findall(r"(?m)^\| `POST /_sim/settings` \| ([^|]*) \|", PAGE.read_text())
    assert set(re.findall(r"`(\w+)`", row)) == {*settings.READERS, "balances"}


@pytest.mark.parametrize(
    "names",
    [
        rules.JSON_FIELDS,
        rules.FORM_FIELDS,
        {f"metadata.{name}" for name in rules.METADATA_FIELDS},
        set(images.FILE_FIELDS),
        set(book.NOTED_HEADERS),
    ],
    ids=["json", "form", "metadata", "files", "headers"],
)
def test_the_page_names_every_field(names: set[str]) -> None:
    words = set(re.findall(r"[\w.\[\]-]+", PAGE.read_text()))
    assert names <= words


def test_the_page_shows_every_code_that_a_request_can_get_without_a_scenario() -> None:
    shown = set(re.findall(r'"code":"(\w+)"', PAGE.read_text()))
    assert codes() - {"do_request_failed"} <= shown  # a 500 for what cannot be


def codes() -> set[str]:
    """The codes in the refusals of the gateway's own modules."""
    trees = [
        ast.parse(pathlib.Path(str(module.__file__)).read_text()) for module in (answers, bodies, images, routes, rules)
    ]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [call.args[1] for call in calls if ast.unparse(call.func).endswith("task_error")]
    return {word.value for word in named if isinstance(word, ast.Constant) and isinstance(word.value, str)}


def write() -> None:
    """Put the blocks of the page right."""
    PAGE.write_text(BLOCK.sub(lambda found: found[1] + rendered(found[2], found[3]) + found[5], PAGE.read_text()))


if __name__ == "__main__":
    write()
