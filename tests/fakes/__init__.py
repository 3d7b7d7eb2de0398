"""Stateful fakes of the three ports: in memory, safe for threads, and bound by the suite that binds the adapters.

Every call passes two hooks, `before` and `after` the effect. A hook may raise: a `Crash` kills the caller as a
SIGKILL would (before: the effect did not happen; after: it did, and the reply is lost), a `StoreTrouble` or
`KubeTrouble` is a remote fault of the same two kinds.
"""

from .clips import tiny_mp4
from .effects import Crash, Effect, Hooks
from .kube import FakeKube
from .object_store import FakeObjectStore, FakeStores
from .video_api import FakeTask, FakeVideoApi, Life, Post

__all__ = [
    "Crash",
    "Effect",
    "FakeKube",
    "FakeObjectStore",
    "FakeStores",
    "FakeTask",
    "FakeVideoApi",
    "Hooks",
    "Life",
    "Post",
    "tiny_mp4",
]
