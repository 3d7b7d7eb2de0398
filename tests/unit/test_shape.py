"""The shape that no import contract can hold: who may read what, and that nothing escapes the contracts."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel

from videogen_operator.api import generation, generation_class

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCES: Final = ROOT / "operator"
PACKAGE: Final = SOURCES / "videogen_operator"
MODULES: Final = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
CONTRACTS: Final[dict[str, Any]] = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def found(wanted: type[ast.AST]) -> Iterator[tuple[str, Any]]:
    for path, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, wanted):
                yield name(path), node


def test_the_source_root_is_no_package() -> None:
    """`operator` is a module of the standard library: as a package of that name it would hide it."""
    assert not (SOURCES / "__init__.py").exists()


# ---------------------------------------------------------------- phase


def test_nothing_reads_the_phase() -> None:
    """It is for people: whoever decides by it decides by a word that may change. `conditions.phase` makes it."""
    readers = [
        f"{module}:{node.lineno}"
        for module, node in found(ast.Attribute)
        if node.attr == "phase" and not (isinstance(node.value, ast.Name) and node.value.id.startswith("conditions"))
    ]
    assert readers == []


def test_no_text_names_the_phase_but_the_write_that_sets_it() -> None:
    """Neither `status["phase"]`, nor `.get("phase")`, nor a patch that tests `/status/phase`."""
    texts = [
        module
        for module, node in found(ast.Constant)
        if isinstance(node.value, str) and "phase" in node.value.split("/") and "\n" not in node.value
    ]
    assert texts == ["writes.py"]


# ---------------------------------------------------------------- secrets


def readers(*attributes: str) -> set[str]:
    return {module for module, node in found(ast.Attribute) if node.attr in attributes}


def test_the_prompt_is_read_where_it_is_hashed_hidden_or_sent_and_nowhere_else() -> None:
    assert readers("prompt", "negative_prompt") == {
        "admission.py",
        "reconcile/charges.py",
        "reconcile/submission.py",
        "wire_request.py",
    }


def test_a_secret_is_revealed_only_to_who_sends_it_or_hides_it() -> None:
    assert readers("reveal") == {
        "adapters/object_store.py",
        "adapters/video_api.py",
        "handlers.py",
        "reconcile/attempt.py",
        "reconcile/probes.py",
        "reconcile/resolving.py",
        "reconcile/submission.py",
    }


def test_there_is_one_way_to_say_that_an_object_is_queued() -> None:
    """Its message must end with where the reason for waiting is, since that is not written again."""
    said = {
        module
        for module, node in found(ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id == "Standing"
        for keyword in node.keywords
        if keyword.arg == "step" and isinstance(keyword.value, ast.Attribute) and keyword.value.attr == "QUEUED"
    }
    assert said == {"conditions.py"}


# ---------------------------------------------------------------- the two specs

UNREAD: Final = {"ClassSpec.allowed_namespaces.from_"}
"""The schema lets a selector stand with `from: Selector` and nowhere else, so the selector alone is read."""


def spec_fields(model: type[BaseModel], path: str) -> Iterator[tuple[str, str]]:
    """Where each field of a spec is, and its Python name; the fields of what it holds too. One value is no choice."""
    for word, field in model.model_fields.items():
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
            continue
        yield f"{path}.{word}", word
        for held in held_models(field.annotation):
            yield from spec_fields(held, f"{path}.{word}")


def held_models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type such as `tuple[Tier, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from held_models(part)


def reads(tree: ast.AST) -> set[str]:
    """The attributes that a piece of source takes the value of."""
    return {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}


def read_by_the_operator() -> set[str]:
    """What it reads itself, or through a method of the API's models that it calls. No adapter ever sees a spec."""
    api = [tree for path, tree in MODULES.items() if name(path).startswith("api/")]
    others = [tree for path, tree in MODULES.items() if not name(path).startswith(("api/", "adapters/"))]
    methods = [node for tree in api for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    known = set().union(*map(reads, others))
    while more := set().union(*(reads(method) for method in methods if method.name in known)) - known:
        known |= more
    return known


def test_every_field_of_a_spec_is_read() -> None:
    """A field that nothing reads promises what is not done. Names count, so one that another thing has can hide."""
    fields = [*spec_fields(generation.Spec, "Spec"), *spec_fields(generation_class.Spec, "ClassSpec")]
    known = read_by_the_operator()
    assert {path for path, word in fields if word not in known} == UNREAD


# ---------------------------------------------------------------- money


def test_there_is_one_place_that_orders() -> None:
    assert {module for module, node in found(ast.Attribute) if node.attr == "submit" and _of(node, "api")} == {
        "reconcile/submission.py"
    }


def _of(node: ast.Attribute, owner: str) -> bool:
    return isinstance(node.value, ast.Attribute) and node.value.attr == owner


def test_no_float_is_ever_made_into_money() -> None:
    """0.1 + 0.2 must be 0.3 in a bill."""
    made = [
        f"{module}:{node.lineno}"
        for module, node in found(ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id == "Decimal"
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, float)
    ]
    assert made == []


# ---------------------------------------------------------------- errors


def test_blind_excepts_are_where_the_program_ends_or_any_failure_means_the_same() -> None:
    blind = {
        module
        for module, node in found(ast.ExceptHandler)
        if node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
    }
    assert blind == {
        "adapters/kube.py",
        "adapters/video_api.py",
        "handlers.py",
        "reconcile/copying.py",
        "workers.py",
    }


# ---------------------------------------------------------------- the contracts

EDGE: Final = {
    "__main__": "starts and ends the process",
    "wiring": "builds everything",
    "adapters": "I/O",
    "clock": "reads the time",
    "handlers": "kopf",
    "health": "a server",
    "logs": "logging",
    "reconcile": "calls the ports",
    "workers": "threads and logs",
}


def layered() -> set[str]:
    rows = CONTRACTS["layers"]["layers"]
    return {module for row in rows for module in row.replace("|", " ").replace(":", " ").split()}


def modules() -> set[str]:
    return {name(path).split("/")[0].removesuffix(".py") for path in MODULES} - {"__init__"}


def test_every_module_is_in_a_layer() -> None:
    """The linter says it too; here it is said which."""
    assert layered() == modules()


def test_every_module_is_pure_or_is_known_not_to_be() -> None:
    pure = {module.removeprefix("videogen_operator.") for module in CONTRACTS["pure"]["source_modules"]}
    assert pure | set(EDGE) == modules()
    assert not pure & set(EDGE)
