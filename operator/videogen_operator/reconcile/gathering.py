"""Gathering: all that the next decision about one object rests on, from what this process knows of it."""

from ..admission import Offer, Refusal, offer
from ..api.generation import RESOLVE_ANNOTATION, VideoGeneration
from ..api.generation_class import VideoGenerationClass
from ..desk import Desk
from ..job import Job, active_folder, newest_attempt
from ..ledger_names import FolderId
from .access import Access
from .flight import Flight
from .pace import pace_of
from .world import Tickets, World


class Gathering:
    """Reads labels of namespaces where a class asks for them, nothing else."""

    def __init__(self, world: World, access: Access, tickets: Tickets) -> None:
        self._world = world
        self._access = access
        self._tickets = tickets

    def job(self, flight: Flight, obj: VideoGeneration, klass: VideoGenerationClass | None, desk: Desk | None) -> Job:
        """What the next decision rests on."""
        now = self._world.moment()
        folder_id = active_folder(obj)
        _note_doubt(flight, now.ticks)
        _note_intent(flight, obj, now.ticks)
        _note_answer(flight, obj)
        seconds = self._world.seconds
        p = flight.work.pursuit
        grant = desk.grant(flight.key) if desk else None
        return Job(
            obj=obj,
            klass=klass,
            seconds=seconds,
            offer=self._offer(obj, klass) if klass else None,
            ledger_uri=ledger_uri(klass, folder_id) if klass else "",
            folder=flight.work.folder,
            folder_read=flight.work.folder_read,
            folder_stale=flight.folder_stale,
            unsent=self._tickets.unsent(),
            fence=flight.fence.ticket if flight.fence else None,
            granted=grant.attempt.number if grant and grant.attempt.folder.revision == obj.spec.revision else None,
            shut=desk.shut(now.ticks) if desk else False,
            gave_up=flight.work.gave_up,
            begun=flight.begun,
            intent_seen=flight.intent_seen,
            doubt_since=flight.doubt_since,
            doubt_certain=flight.doubt_certain,
            refused_answer=flight.refused_answer,
            pursuit=p,
            pace=pace_of(klass, p.resolved.tier, seconds) if p and klass else None,
            waits=flight.waits,
            told=flight.told,
        )

    def _offer(self, obj: VideoGeneration, klass: VideoGenerationClass) -> Offer | Refusal:
        labels = None
        if klass.spec.allowed_namespaces.selector is not None:
            labels = self._access.namespace_labels(obj.metadata.namespace, self._world.clock.ticks())
        folder = FolderId(obj.metadata.namespace, obj.metadata.name, obj.spec.revision)
        return offer(obj.spec, klass, folder, labels)


def _note_doubt(flight: Flight, ticks: float) -> None:
    newest = flight.work.folder.newest if flight.work.folder else None
    if newest is None or newest.intent is None:
        return
    ticket = newest.intent.ticket
    if ticket != flight.doubt_ticket and newest.task is None and newest.end is None:
        flight.doubt_ticket, flight.doubt_since, flight.doubt_certain = ticket, ticks, False


def _note_intent(flight: Flight, obj: VideoGeneration, ticks: float) -> None:
    newest = newest_attempt(obj)
    if newest is None or newest.state != "Intent":
        flight.intent_seen = None
    elif flight.intent_seen is None:
        flight.intent_seen = ticks


def _note_answer(flight: Flight, obj: VideoGeneration) -> None:
    """A refusal is of one answer: the same one given again is tried again."""
    if flight.refused_annotation != annotation(obj):
        flight.refused_annotation = flight.refused_answer = ""


def annotation(obj: VideoGeneration) -> str:
    """A person's answer to an unknown outcome; empty if there is none."""
    return obj.metadata.annotations.get(RESOLVE_ANNOTATION, "")


def asked(obj: VideoGeneration) -> tuple[int, str]:
    """What a person wants of the object: it changes with every edit and every answer."""
    return obj.metadata.generation, annotation(obj)


def ledger_uri(klass: VideoGenerationClass, folder: FolderId) -> str:
    """Where the ledger of a revision lies."""
    s3 = klass.spec.storage.s3
    return f"s3://{s3.bucket}/{folder.key(s3.prefix)}"
