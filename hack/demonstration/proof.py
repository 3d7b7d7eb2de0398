"""Fetches the video from the URL that the status shows, measures it, and compares it with the simulator's record."""

import hashlib
import urllib.request
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import av

_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What can be said about one video file."""

    size: str
    sha256: str
    seconds: str
    pixels: str

    @classmethod
    def measured(cls, url: str, file: Path) -> Self:
        """Of the bytes that a plain GET of the URL gives now; every frame of it was decoded."""
        digest, size = hashlib.sha256(), 0
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=60) as answer, file.open("wb") as kept:
            while chunk := answer.read(_CHUNK):
                kept.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        seconds, pixels = _decoded(file)
        return cls(size=f"{size} bytes", sha256=digest.hexdigest(), seconds=f"{seconds:g} s", pixels=pixels)

    @classmethod
    def recorded(cls, task: dict[str, Any]) -> Self:
        """As the simulator recorded them when it made the video."""
        ordered = task["request"]
        return cls(
            size=f"{task['content_bytes']} bytes",
            sha256=task["content_sha256"],
            seconds=f"{ordered['seconds']:g} s",
            pixels=ordered["size"],
        )

    def beside(self, other: "Facts") -> str:
        """A table of both, line by line, and whether they are the same."""
        lines = []
        for name in (field.name for field in fields(self)):
            mine, theirs = getattr(self, name), getattr(other, name)
            verdict = "the same" if mine == theirs else f"NOT the same: {theirs}"
            lines.append(f"  {name:<8} {mine:<64}  {verdict}")
        return "\n".join(lines)


def _decoded(file: Path) -> tuple[float, str]:
    """Seconds and pixels, from decoding every frame."""
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        return float(frames / (stream.average_rate or 1)), f"{stream.width}x{stream.height}"
