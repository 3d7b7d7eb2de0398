"""What the work on an object's task needs: key, bucket, endpoint and pace, by the class as it is now."""

from .. import ledger
from ..errors import KubeTrouble
from ..job import Job, active_folder, active_revision, ordered, own_number
from ..ledger import Task
from ..redaction import Secret
from .access import Access
from .attempt import Charge
from .flight import Flight
from .pace import pace_of
from .world import World


def charge(flight: Flight, job: Job, access: Access, world: World) -> Charge:
    """What the work on the object's task needs. Raises `KubeTrouble` while the key's Secret is missing."""
    klass, folder = job.klass, flight.work.folder
    number = own_number(job.obj, active_revision(job.obj))
    entry = folder.entry(number) if folder is not None and number is not None else None
    if klass is None or entry is None or entry.task is None:
        raise ValueError("the object has no task")
    resolved = ordered(job, entry)
    if resolved is None:
        raise ledger.LedgerUnreadableError(f"what attempt {entry.number} ordered is not on record")
    ticks = world.clock.ticks()
    return Charge(
        attempt=active_folder(job.obj).attempt(entry.number),
        task=_task(entry.task, klass.spec.provider.open_ai_videos.endpoints[0]),
        resolved=resolved,
        klass=klass,
        key=needed_key(klass.metadata.name, access.api_key(klass, ticks)),
        store=access.store(klass, ticks),
        pace=pace_of(klass, resolved.tier, world.seconds),
        prompts=_prompts(job),
    )


def _prompts(job: Job) -> tuple[str, ...] | None:
    """What the task was ordered with; not known any more where the spec asks for a later revision."""
    spec = job.obj.spec
    if spec.revision != active_revision(job.obj):
        return None
    return tuple(text for text in (spec.prompt, spec.negative_prompt) if text)


def needed_key(name: str, key: Secret | None) -> Secret:
    """The key, or trouble that passes when the Secret is back."""
    if key is None:
        raise KubeTrouble(f"the Secret with the API key of class {name} is missing", retry_after=10.0)
    return key


def _task(task: Task, default_endpoint: str) -> Task:
    return task if task.endpoint else task.model_copy(update={"endpoint": default_endpoint})
