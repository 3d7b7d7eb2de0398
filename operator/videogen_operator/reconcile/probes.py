"""The free probes of a class: is the key good, does the bucket take conditional writes. Never by a POST."""

import logging
from typing import Final

from .. import answers
from ..api.generation_class import VideoGenerationClass
from ..class_conditions import PENDING, Probe
from ..errors import KubeTrouble, StoreReason, StoreTrouble
from .access import Access
from .world import World

UNCLEAR: Final = "Unclear"

log: Final = logging.getLogger("videogen_operator.generation_class")


class Probes:
    """Runs the probes; remembers nothing."""

    def __init__(self, world: World, access: Access) -> None:
        self._world = world
        self._access = access

    def credentials(self, klass: VideoGenerationClass) -> Probe:
        """A GET of a task that cannot exist, at the first endpoint that knows keys. Any answer is reachable."""
        gateway = klass.spec.provider.open_ai_videos
        ref = gateway.api_key_secret_ref
        try:
            key = self._access.api_key(klass, self._world.clock.ticks(), fresh=True)
        except KubeTrouble as trouble:
            return Probe(ok=None, reason=PENDING.reason, message=f"Secret {ref.name} could not be read: {trouble}")
        if key is None:
            message = f"Secret {ref.name} with the entry {ref.key} is missing in the operator's namespace"
            return Probe(ok=False, reason="SecretNotFound", message=message)
        found = Probe(ok=None, reason=PENDING.reason)
        for endpoint in gateway.endpoints:
            answer = answers.read_probe(self._world.api.probe(endpoint, key), (key.reveal(),))
            match answer:
                case answers.KeyAccepted():
                    return Probe(ok=True, reason="LastCallAccepted", message=f"{endpoint} takes the key")
                case answers.KeyRejected(detail=detail):
                    message = f"{endpoint} does not take the key of Secret {ref.name}: {detail}"
                    return Probe(ok=False, reason="CredentialsRejected", message=message)
                case answers.Unclear(detail=detail):
                    found = Probe(ok=None, reason=UNCLEAR, message=f"{endpoint} answered {detail}")
                case answers.Unreachable(detail=detail) if found.reason != UNCLEAR:
                    found = Probe(ok=None, reason="GatewayUnreachable", message=f"{endpoint}: {detail}")
                case answers.Unreachable():
                    pass  # an endpoint before it answered
        return found

    def storage(self, klass: VideoGenerationClass, *, thorough: bool) -> Probe:
        """A probe write; thorough where atomic conditional writes were not shown yet for this spec."""
        try:
            self._access.store(klass, self._world.clock.ticks()).probe(thorough=thorough)
        except StoreTrouble as trouble:
            return Probe(ok=False, reason=trouble.reason.value, message=str(trouble))
        except KubeTrouble as trouble:
            return Probe(ok=False, reason=StoreReason.UNAVAILABLE.value, message=f"the Secret was not read: {trouble}")
        return Probe(ok=True, reason="ProbeWritten", message="conditional writes supported")
