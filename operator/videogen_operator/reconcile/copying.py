"""The copy: from `/content` through a verified temporary file into the bucket, whole or not at all. Never a POST.

First the bucket is asked: what carries our attempt in its metadata is stored already. The bytes are never altered, so
the C2PA credentials in them stay valid. `result.json` is written last: it is the commit mark.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from .. import answers, mp4, pursuit
from ..api.generation_class import VideoGenerationClass
from ..api.generation_status import Billing, ContentCredentials, Output, Resolved
from ..errors import StoreReason, StoreTrouble
from ..ledger import Request, Result, Task
from ..ledger_names import AttemptId, parse_entry
from ..ports import Created, Downloaded, ObjectStore, StoredObject, TooLarge
from ..pursuit import Ending, LocalCopy, Pace, Pursuit
from ..redaction import Secret
from . import books
from .temporary import Meanwhile, Reading, TemporaryFiles, Writing
from .world import World

log: Final = logging.getLogger("videogen_operator.copying")

LENGTH_TOLERANCE_MILLIS: Final = 500
_HEAD: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A completed task and where its video belongs."""

    attempt: AttemptId
    task: Task
    resolved: Resolved
    request: Request | None
    klass: VideoGenerationClass
    key: Secret
    hidden: tuple[str, ...]
    quotes: bool
    store: ObjectStore
    pace: Pace
    duplicate: bool = False  # a second live task of one revision: its video gets a name of its own

    @property
    def prefix(self) -> str:
        return self.klass.spec.storage.s3.prefix

    @property
    def file(self) -> str:
        folder = self.attempt.folder
        return folder.video(self.attempt.number if self.duplicate else None)

    @property
    def video_key(self) -> str:
        return self.attempt.folder.key(self.prefix, self.file)


class AnotherAttemptStoredError(Exception):
    """Another attempt of this revision stored its video first: the folder must be read anew."""

    def __init__(self, attempt: str, pursuit_: Pursuit) -> None:
        super().__init__(attempt)
        self.attempt = attempt
        self.pursuit = pursuit_  # with the local copy, which stays


class Copying:
    """Copies videos. Thread-safe; one instance a process: it owns the space of the temporary volume."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._files = TemporaryFiles(world.temp_dir, world.temp_bytes)

    def store(self, source: Source, p: Pursuit, meanwhile: Meanwhile) -> Result | Pursuit | Ending:
        """One try to bring the video into the bucket. `meanwhile` is called at each piece that comes or goes."""
        try:
            found = self._stored_already(source)
            if found is not None:
                return self._commit(source, p, found)
        except StoreTrouble as trouble:
            return pursuit.after_store_trouble(p, str(trouble), self._world.moment(), source.pace)
        if p.local is None:
            outcome = self._download(source, p, meanwhile)
            if not isinstance(outcome, Pursuit) or outcome.local is None:
                return outcome
            p = outcome
        return self._upload(source, p, meanwhile)

    def is_there(self, source: Source) -> bool:
        """Whether the video of this attempt lies in the bucket. Raises `StoreTrouble` while that cannot be said."""
        return self._stored_already(source) is not None

    def drop(self, p: Pursuit | None) -> None:
        """The work is over or somebody else's: its temporary file goes."""
        if p is not None and p.local is not None:
            self._files.remove(p.local.path)

    # ------------------------------------------------------------ the bucket

    def _stored_already(self, source: Source) -> Mapping[str, str] | None:
        head = source.store.head(source.video_key)
        return _ours(head, source.attempt) if head is not None else None

    def _upload(self, source: Source, p: Pursuit, meanwhile: Meanwhile) -> Result | Pursuit | Ending:
        local = p.local
        if local is None:
            raise ValueError("nothing to upload")
        facts: Mapping[str, str] = _facts(source, local)
        try:
            with Reading(local.path, meanwhile) as body:
                created = source.store.create_video(
                    source.video_key, body, size=local.size, sha256=local.sha256, metadata=facts
                )
            if created is Created.EXISTS:
                facts = self._known_bytes(source, p)
            return self._commit(source, p, facts)
        except FileNotFoundError:
            self._files.remove(local.path)
            return replace(p, local=None, due=self._world.clock.ticks())
        except StoreTrouble as trouble:
            return pursuit.after_store_trouble(p, str(trouble), self._world.moment(), source.pace)

    def _known_bytes(self, source: Source, p: Pursuit) -> Mapping[str, str]:
        """412: bytes of our attempt are success (two downloads of one task may differ); others are never touched."""
        head = source.store.head(source.video_key)
        facts = _ours(head, source.attempt) if head is not None else None
        if facts is None and head is not None and _same_folder(head, source.attempt):
            raise AnotherAttemptStoredError(head.metadata["attempt"], p)
        if facts is None:
            message = (
                f"{source.video_key} holds bytes of something else; they are not overwritten: move them away, "
                "then the video is stored"
            )
            raise StoreTrouble(StoreReason.UNAVAILABLE, message)
        return facts

    def _commit(self, source: Source, p: Pursuit, facts: Mapping[str, str]) -> Result:
        """`result.json`, create-only: on 412 what is there counts."""
        result = self._result(source, p, facts)
        if not source.duplicate:
            prefix, folder = source.prefix, source.attempt.folder
            result = books.put(source.store, prefix, folder, "result.json", result)
        self.drop(p)
        log.info(
            "video stored",
            extra={"attempt": source.attempt.entry, "task_id": source.task.task_id, "uri": result.output.uri},
        )
        return result

    def _result(self, source: Source, p: Pursuit, facts: Mapping[str, str]) -> Result:
        now = self._world.clock.now()
        completed = p.completed.wall if p.completed else now
        s3 = source.klass.spec.storage.s3
        millis = int(facts["duration-millis"])
        output = Output(
            revision=source.attempt.folder.revision,
            uri=source.store.uri(source.video_key),
            url=source.store.url(source.video_key, s3.public_base_url or ""),
            bucket=s3.bucket,
            key=source.video_key,
            size_bytes=int(facts["size"]),
            sha256=facts["sha256"],
            duration_seconds=round(millis / 1000),
            duration_millis=millis,
            width_pixels=int(facts["width"]),
            height_pixels=int(facts["height"]),
            content_credentials=ContentCredentials(facts["content-credentials"]),
            stored_time=now,
        )
        return Result(
            attempt=source.attempt.short,
            task_id=source.task.task_id,
            class_=source.klass.metadata.name,
            billing=Billing.BILLED,
            cost_usd=source.resolved.price_usd,
            request=source.request,
            resolved=source.resolved,
            submit_time=source.task.time,
            completion_time=completed,
            mismatch=facts.get("mismatch", ""),
            output=output,
        )

    # ------------------------------------------------------------ the download

    def _download(self, source: Source, p: Pursuit, meanwhile: Meanwhile) -> Pursuit | Ending:
        now, pace = self._world.moment(), source.pace
        limit = source.klass.spec.limits.max_output_bytes
        room = self._files.room()
        if room <= 0:
            return pursuit.after_store_trouble(p, "no space for a temporary file", now, pace)
        try:
            path = self._files.make(min(limit, room))
        except OSError as error:
            return pursuit.after_store_trouble(p, f"no temporary file: {error.strerror}", now, pace)
        try:
            kept = self._fetch(source, p, path, min(limit, room), meanwhile)
        except OSError as error:
            self._files.remove(path)
            return pursuit.after_store_trouble(p, f"the temporary file failed: {error.strerror}", now, pace)
        except BaseException:
            self._files.remove(path)
            raise
        if not isinstance(kept, Pursuit) or kept.local is None:
            self._files.remove(path)
        else:
            self._files.keep(path, kept.local.size)
        return kept

    def _fetch(self, source: Source, p: Pursuit, path: str, limit: int, meanwhile: Meanwhile) -> Pursuit | Ending:
        with Writing(path, meanwhile) as into:
            got = self._world.api.download(source.task.endpoint, source.key, source.task.task_id, into, limit=limit)
        now = self._world.moment()
        if isinstance(got, TooLarge):
            most = source.klass.spec.limits.max_output_bytes
            if limit < most and (got.declared is None or got.declared <= most):
                return pursuit.after_store_trouble(p, "no space for a temporary file", now, source.pace)
            size = f"{got.declared} bytes" if got.declared else f"more than {most} bytes"
            detail = f"the video has {size}, maxOutputBytes of class {source.klass.metadata.name} is {most}: raise it"
            return pursuit.after_too_large(p, detail, now, source.pace)
        if not isinstance(got, Downloaded):
            told = answers.read_content(got, source.hidden, quote=source.quotes)
            return pursuit.after_content(p, told, now, source.pace)
        return self._verify(source, p, path, got)

    def _verify(self, source: Source, p: Pursuit, path: str, got: Downloaded) -> Pursuit | Ending:
        """Never trust a 200 or a content type: the boxes, the real length and the real pixels count."""
        now = self._world.moment()
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
            file.seek(0)
            clip = mp4.inspect(file, got.size)
        if isinstance(clip, mp4.NotAVideo):
            again = got.declared is not None and p.refused_sha256 == got.sha256
            if not again or answers.looks_like_error_page(head):
                why = f"what came is no whole video: {clip.reason}"
                return pursuit.after_bad_video(p, why, got.sha256, now, source.pace)
            why = f"the gateway sent the same bytes twice, and they are no whole MP4: {clip.reason}"
            return replace(p, local=_unreadable(path, got, why))
        local = LocalCopy(
            path=path,
            size=got.size,
            sha256=got.sha256,
            duration_millis=clip.duration_millis or 0,
            width=clip.width,
            height=clip.height,
            content_credentials=clip.content_credentials,
            mismatch=mismatch(clip, source.resolved),
        )
        return replace(p, local=local)


def _unreadable(path: str, got: Downloaded, why: str) -> LocalCopy:
    return LocalCopy(
        path=path,
        size=got.size,
        sha256=got.sha256,
        duration_millis=0,
        width=0,
        height=0,
        content_credentials=False,
        mismatch=why,
    )


def _same_folder(head: StoredObject, attempt: AttemptId) -> bool:
    other = parse_entry(head.metadata.get("attempt", ""))
    return other is not None and other.folder == attempt.folder and other != attempt


def _ours(head: StoredObject, attempt: AttemptId) -> Mapping[str, str] | None:
    """The facts in the metadata, if the bytes are those of this attempt and whole."""
    facts = head.metadata
    if facts.get("attempt") != attempt.entry or facts.get("size") != str(head.size):
        return None
    return facts


def _facts(source: Source, local: LocalCopy) -> dict[str, str]:
    """User metadata of the video: what a later look needs without fetching it."""
    present = ContentCredentials.PRESENT if local.content_credentials else ContentCredentials.ABSENT
    facts = {
        "attempt": source.attempt.entry,
        "task": source.task.task_id,
        "size": str(local.size),
        "sha256": local.sha256,
        "duration-millis": str(local.duration_millis),
        "width": str(local.width),
        "height": str(local.height),
        "content-credentials": present.value,
    }
    return {**facts, "mismatch": local.mismatch} if local.mismatch else facts


def mismatch(clip: mp4.Clip, asked: Resolved) -> str:
    """What is not as ordered, in words; empty if all is."""
    wrong = []
    if clip.duration_millis is None:
        wrong.append(f"asked for {asked.duration_seconds} s, the length cannot be read")
    elif abs(clip.duration_millis - asked.duration_seconds * 1000) > LENGTH_TOLERANCE_MILLIS:
        wrong.append(f"asked for {asked.duration_seconds} s, got {clip.duration_millis / 1000:.1f} s")
    if (clip.width, clip.height) != (asked.width_pixels, asked.height_pixels):
        wrong.append(f"asked for {asked.width_pixels}x{asked.height_pixels}, got {clip.width}x{clip.height}")
    return "; ".join(wrong)
