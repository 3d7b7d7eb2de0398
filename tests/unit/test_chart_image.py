"""The image and the chart agree, and the image holds only what it needs."""

import re
from typing import Any, Final

import yaml

from golden import manifests

DOCKERFILE: Final = (manifests.ROOT / "Dockerfile").read_text()
IGNORED: Final = (manifests.ROOT / ".dockerignore").read_text().splitlines()


def pod() -> dict[str, Any]:
    """The Deployment's pod, as far as it holds no template."""
    text = (manifests.ROOT / "charts/videogen-operator/templates/deployment.yaml").read_text()
    plain = "\n".join(line for line in text.splitlines() if "{{" not in line)
    spec: dict[str, Any] = yaml.safe_load(plain)["spec"]["template"]["spec"]
    return spec


def copied() -> list[str]:
    """What the first stage takes from the checkout."""
    lines = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    return [source.removeprefix("./") for line in lines for source in line.split()]


def test_the_image_starts_what_the_chart_starts() -> None:
    (entrypoint,) = re.findall(r"^ENTRYPOINT (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert yaml.safe_load(entrypoint) == pod()["containers"][0]["command"] == ["python", "-m", "videogen_operator"]


def test_the_image_and_the_pod_have_the_same_user_without_rights() -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    assert int(user) == pod()["securityContext"]["runAsUser"] > 0


def test_what_is_copied_exists_and_nothing_else_is_sent() -> None:
    assert set(copied()) == {line.removeprefix("!") for line in IGNORED if line.startswith("!")}
    assert [source for source in copied() if not (manifests.ROOT / source).exists()] == []
    assert IGNORED[1] == "*"


def test_requirements_are_hashed() -> None:
    assert "--require-hashes" in DOCKERFILE
    text = (manifests.ROOT / "requirements.txt").read_text()
    assert len(re.findall(r"^\S+==", text, re.MULTILINE)) > 20
    assert "--hash=sha256:" in text


def test_the_image_has_no_shell_form_and_no_health_check() -> None:
    assert not re.search(r"^(HEALTHCHECK|CMD)", DOCKERFILE, re.MULTILINE)
