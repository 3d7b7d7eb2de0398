"""Kubeconfig files, one cluster and one user each."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from servers.certificates import Pair


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """An API server's address and the file of the authority that signed its certificate."""

    url: str
    authority: Path


def for_certificate(server: Server, pair: Pair, path: Path) -> Path:
    """Write a kubeconfig whose user has a client certificate."""
    user = {"client-certificate-data": _inline(pair.certificate), "client-key-data": _inline(pair.key)}
    return _write(server, user, "default", path)


def for_token(server: Server, token: str, namespace: str, path: Path) -> Path:
    """Write a kubeconfig whose user has a bearer token."""
    return _write(server, {"token": token}, namespace, path)


def _write(server: Server, user: dict[str, str], namespace: str, path: Path) -> Path:
    cluster = {"server": server.url, "certificate-authority-data": _inline(server.authority)}
    context = {"cluster": "videogen", "user": "videogen", "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "videogen", "cluster": cluster}],
        "users": [{"name": "videogen", "user": user}],
        "contexts": [{"name": "videogen", "context": context}],
        "current-context": "videogen",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=2))  # JSON is YAML
    return path


def _inline(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
