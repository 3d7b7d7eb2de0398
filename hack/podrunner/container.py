"""What a node would run for a pod: command, environment and mounts, as far as one process on this machine can have it.

A process here has no root file system and no network of its own. So paths below a mount are rewritten to the folder
that stands for the volume, and the container's port to a free one. All else is taken as it is, and what is
not known is refused, so that a chart that comes to need more is not run with less.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FIELD = re.compile(r"(metadata|spec|status)\.(\w+)|metadata\.(labels|annotations)\['([^']+)'\]")
_REFERENCE = re.compile(r"\$\((\w+)\)")


class PodError(RuntimeError):
    """A pod that cannot be run, or did not do as it was told."""


@dataclass(frozen=True, slots=True)
class Mounts:
    """Paths in the container, and the local folders that stand for them."""

    folders: Mapping[str, Path]

    def local(self, text: str) -> str:
        """A value with a path below a mount as the local path; any other value unchanged."""
        for mounted in sorted(self.folders, key=len, reverse=True):
            if text == mounted or text.startswith(mounted.rstrip("/") + "/"):
                return f"{self.folders[mounted]}{text.removeprefix(mounted.rstrip('/'))}"
        return text

    def covers(self, path: str) -> bool:
        """Whether a path lies in a volume."""
        return self.local(path) != path


def only_container(pod: Mapping[str, Any]) -> dict[str, Any]:
    """The pod's container. Raises PodError when there are others beside it."""
    spec = pod["spec"]
    if spec.get("initContainers") or len(spec["containers"]) != 1:
        raise PodError("the pod runner runs one container without init containers")
    return dict(spec["containers"][0])


def argv(container: Mapping[str, Any], mounts: Mounts) -> list[str]:
    """Command and arguments. Raises PodError when the command is left to the image, which is not here."""
    if not container.get("command"):
        raise PodError("the container names no command")
    return [mounts.local(part) for part in (*container["command"], *container.get("args", ()))]


def environment(pod: Mapping[str, Any], mounts: Mounts, ports: Mapping[int, int]) -> dict[str, str]:
    """The container's `env`, with references resolved, and paths and ports as they are here.

    Raises PodError for a source that is not known, and for a folder that lies on a read-only file system.
    """
    container = only_container(pod)
    if container.get("envFrom"):
        raise PodError("the pod runner does not know envFrom")
    values: dict[str, str] = {}
    for entry in container.get("env", ()):
        text = _REFERENCE.sub(lambda found: values.get(found[1], found[0]), _value(pod, entry))
        _must_be_writable(container, entry["name"], text, mounts)
        values[entry["name"]] = _own_port(entry["name"], mounts.local(text), ports)
    return values


def container_ports(container: Mapping[str, Any]) -> dict[str, int]:
    """The ports that the container names."""
    return {port["name"]: port["containerPort"] for port in container.get("ports", ())}


def volume_names(container: Mapping[str, Any]) -> dict[str, str]:
    """Mount paths and the names of their volumes."""
    return {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", ())}


def image_environment(dockerfile: Path) -> dict[str, str]:
    """What the last stage of the image's Dockerfile sets, but for PATH, which is that of the image."""
    stage = dockerfile.read_text().rpartition("\nFROM ")[2].replace("\\\n", " ")
    settings: Sequence[str] = [
        word
        for line in stage.splitlines()
        if line.startswith("ENV ")
        for word in line.split()[1:]
        if not word.startswith("PATH=")
    ]
    return dict(word.split("=", 1) for word in settings)


def _value(pod: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    source = entry.get("valueFrom")
    if source is None:
        return str(entry.get("value", ""))
    if set(source) != {"fieldRef"}:
        raise PodError(f"the pod runner does not know the source of {entry['name']}: {', '.join(source)}")
    return _field(pod, source["fieldRef"]["fieldPath"])


def _field(pod: Mapping[str, Any], path: str) -> str:
    found = _FIELD.fullmatch(path)
    if found is None:
        raise PodError(f"the pod runner does not know the field {path}")
    part, name, many, key = found.groups()
    return str(pod["metadata"].get(many, {}).get(key, "") if many else pod[part].get(name, ""))


def _must_be_writable(container: Mapping[str, Any], name: str, text: str, mounts: Mounts) -> None:
    read_only = container.get("securityContext", {}).get("readOnlyRootFilesystem", False)
    if read_only and name.endswith("_DIR") and text.startswith("/") and not mounts.covers(text):
        raise PodError(f"{name}={text} lies in no volume, and the root file system is read-only")


def _own_port(name: str, value: str, ports: Mapping[int, int]) -> str:
    if name.endswith("_PORT") and value.isdigit():
        return str(ports.get(int(value), int(value)))
    return value
