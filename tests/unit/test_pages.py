"""What the pages name exists: links, files, targets, settings, exit codes, log lines, reasons and columns."""

import ast
import functools
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
import yaml

from videogen_operator import __main__ as operator
from videogen_operator.api.generation import VideoGeneration
from videogen_operator.api.generation_class import VideoGenerationClass
from videogen_operator.api.generation_status import AttemptState, Billing
from videogen_operator.class_conditions import ClassType
from videogen_operator.closures import Closure
from videogen_operator.conditions import Reason, Step, Type
from videogen_operator.errors import StoreReason
from videogen_operator.settings import Settings, environment_key

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "operator" / "videogen_operator"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("charts/*/*.md")])
PLAIN = [page for page in PAGES if "charts" not in page.parts]
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
WORD = re.compile(r"[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+")
FOLDERS = tuple(entry.name for entry in ROOT.iterdir() if entry.is_dir() and not entry.name.startswith("."))

pages = pytest.mark.parametrize("page", PLAIN, ids=lambda page: str(page.relative_to(ROOT)))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return FENCE.sub("", text_of(page))


def anchors(page: Path) -> set[str]:
    """What a forge makes of the headings."""
    heads = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def section(page: str, heading: str) -> str:
    """The text below a heading of level 2, up to the next."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text_of(ROOT / page), re.DOTALL | re.MULTILINE)
    assert found, heading
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables' rows, without heads and rulers."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line] for line in lines if not set(line[0]) <= {"-"}]


# ---------------------------------------------------------------- all pages


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        assert to.exists(), target
        assert not anchor or anchor in anchors(to), target


@pages
def test_files_that_are_named_exist(page: Path) -> None:
    for code in CODE.findall(prose(page)):
        for word in code.split():
            path = word.rstrip(",;.")
            if path.startswith(tuple(f"{folder}/" for folder in FOLDERS)) and "*" not in path and "..." not in path:
                assert (ROOT / path).exists(), word


@pages
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of(ROOT / "Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`|\$ )make ([a-z][a-z-]*)", text_of(page), re.MULTILINE))
    assert named <= targets


@pages
def test_settings_exist(page: Path) -> None:
    known = {environment_key(name) for name in Settings.__slots__} | development_variables()
    named = set(re.findall(r"\bVIDEOGEN_[A-Z_]*[A-Z]", text_of(page)))
    assert named <= known


@functools.cache
def development_variables() -> set[str]:
    sources = [*(ROOT / "hack").rglob("*.py"), ROOT / "Makefile"]
    return {name for source in sources for name in re.findall(r"\bVIDEOGEN_[A-Z_]*[A-Z]", text_of(source))}


@pytest.mark.parametrize(
    "page",
    [page for page in PLAIN if page.stem not in {"benchmarks", "development", "simulator"}],  # about other programs
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_reasons_and_fields_exist(page: Path) -> None:
    """Each CamelCase word that is set as code is a word of the API, of the source, or of somebody else's."""
    words = {word for code in CODE.findall(prose(page)) for word in WORD.findall(code) if word == code}
    assert words <= api_words() | source_words() | OTHERS


ENUMS: tuple[type[StrEnum], ...] = (Reason, Type, Step, Closure, StoreReason, ClassType, AttemptState, Billing)
OTHERS = {
    *("ServiceAccount", "ConfigMap", "StorageClass", "PersistentVolumeClaim"),  # Kubernetes
    *("TemporaryError", "IfNoneMatch"),  # kopf, boto3
    "VideoBudget",  # not yet
}


def api_words() -> set[str]:
    return {member.value for enum in ENUMS for member in enum}


@functools.cache
def source_words() -> set[str]:
    """Names and texts of the source: classes, and reasons that are written as plain strings."""
    found: set[str] = set()
    for source in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(text_of(source))):
            if isinstance(node, ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and WORD.fullmatch(node.value):
                found.add(node.value)
    return found


@pages
def test_plain_words(page: Path) -> None:
    assert "\N{EM DASH}" not in text_of(page)
    assert not re.search(r"/home/|/root/|/Users/", text_of(page))


@pages
def test_lines_are_short_enough_to_review(page: Path) -> None:
    long = [line for line in prose(page).splitlines() if len(line) > 150 and not line.startswith("|")]
    assert long == []


# ---------------------------------------------------------------- README


def test_the_manifest_of_the_readme_is_valid_and_short() -> None:
    manifest = re.search(r"```yaml\n(.*?)```", text_of(ROOT / "README.md"), re.DOTALL)
    assert manifest
    assert len(manifest[1].splitlines()) == 12
    VideoGeneration.model_validate(yaml.safe_load(manifest[1]))


def test_the_readme_shows_the_columns_that_kubectl_shows() -> None:
    crd = yaml.safe_load(text_of(ROOT / "crds" / "videogen.dev_videogenerations.yaml"))
    columns = crd["spec"]["versions"][0]["additionalPrinterColumns"]
    shown = [column["name"].upper() for column in columns if not column.get("priority")]
    head = next(line for line in text_of(ROOT / "README.md").splitlines() if line.startswith("NAME "))
    assert head.split() == ["NAME", *shown]


def test_the_class_of_the_page_is_valid() -> None:
    manifest = re.search(r"```yaml\n(.*?)```", text_of(ROOT / "docs" / "videogenerationclass.md"), re.DOTALL)
    assert manifest
    VideoGenerationClass.model_validate(yaml.safe_load(manifest[1]))


def test_every_decision_is_one_page_of_four_parts() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [page.name[:4] for page in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    for page in decisions:
        heads = re.findall(r"^## (.+)$", text_of(page), re.MULTILINE)
        assert heads == ["Context", "Decision", "Alternatives", "Consequences"], page.name
        assert len(text_of(page).splitlines()) <= 100, page.name


# ---------------------------------------------------------------- operations


def test_every_exit_code_has_its_meaning() -> None:
    documented = {int(row[0]) for row in rows(section("docs/operations.md", "Exit codes")) if row[0].isdigit()}
    codes = {operator.STOPPED, operator.BAD_SETTINGS, operator.THREAD_DIED, operator.POST_IN_THE_AIR}
    assert documented == codes


def test_every_log_line_has_its_meaning() -> None:
    table = rows(section("docs/operations.md", "Log lines"))
    documented = {(row[0].strip("`"), row[1]) for row in table if row[0].startswith("`")}
    assert documented == set(log_lines())


def log_lines() -> Iterator[tuple[str, str]]:
    """(message, level) of every line that the operator can log."""
    for source in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(text_of(source))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_logger(node.func.value):
                message = node.args[0]
                assert isinstance(message, ast.Constant), ast.unparse(node)
                yield str(message.value), "error" if node.func.attr == "exception" else node.func.attr


def _is_logger(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"log", "_log"}


def test_every_probe_is_named() -> None:
    documented = {row[0].strip("`") for row in rows(section("docs/operations.md", "Probes"))[1:]}
    assert documented == {"/livez", "/readyz"}


# ---------------------------------------------------------------- kinds


def test_every_reason_of_an_object_is_documented() -> None:
    page = text_of(ROOT / "docs" / "videogeneration.md")
    assert {reason.value for reason in Reason if f"`{reason.value}`" not in page} == set()
