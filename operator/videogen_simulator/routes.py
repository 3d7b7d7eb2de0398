"""The channel's three calls, and the errors around them."""

import hashlib
from collections.abc import Iterator

from . import answers, bodies, markers, rules
from .answers import Answer, Refused, document
from .effects import ContentFault, Effect, PollFault
from .gateway import Gateway, content
from .ledger import Post, Task
from .reading import Request
from .scenario import ScenarioError
from .sending import HangUp, Reply, Stream
from .tasks import Status, wire_object

VIDEOS = "/v1/videos"
# What the gateway calls the states in the errors of `/content`.
INNER_NAMES = {Status.QUEUED: "QUEUED", Status.IN_PROGRESS: "IN_PROGRESS", Status.FAILED: "FAILURE"}
NOT_YET = "Task is not completed yet, current status: {}"


def answer(gateway: Gateway, request: Request) -> Reply:
    """The reply to a request below `/v1`."""
    outage = gateway.settings.outage
    if request.path == VIDEOS and request.method == "POST":
        return recorded_submit(gateway, request)
    if outage:
        return broken(outage)
    segments = request.path.split("/")
    if request.method == "GET" and request.path.startswith(VIDEOS + "/") and segments[3]:
        if len(segments) == 4:  # noqa: PLR2004 -- /v1/videos/{id}
            return poll(gateway, request)
        if len(segments) == 5 and segments[4] == "content":  # noqa: PLR2004 -- /v1/videos/{id}/content
            return download(gateway, request)
    if request.path == VIDEOS + "/" and request.method == "POST":
        return answers.redirect(307, VIDEOS)
    return answers.unknown_url(request.method, request.target[:200])


def broken(outage: str) -> Reply:
    """What every request meets while the gateway is out."""
    return HangUp(how=outage) if outage == "close" else answers.html_page(int(outage))


def key_of(request: Request) -> str | None:
    """The key that a request shows."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


# Submit.


def recorded_submit(gateway: Gateway, request: Request) -> Reply:
    """A POST, on record from before it is looked at until its answer is known."""
    post = gateway.book.arrived(request)
    reply: Reply
    try:
        outage = gateway.settings.outage
        reply = broken(outage) if outage else submit(gateway, request, post)
    except Refused as refused:
        reply = refused.answer
    if isinstance(reply, Answer):
        gateway.book.answered(post, str(reply.status), reply.code)
    elif isinstance(reply, HangUp):
        gateway.book.answered(post, reply.how, "no_answer")
    return reply


def submit(gateway: Gateway, request: Request, post: Post) -> Reply:
    """Key, body, rules and scenario, money and room, in this order. Raises `Refused`."""
    post.account = gateway.account_of(key_of(request))
    if post.account is None:
        raise Refused(answers.wrong_key())
    fields = bodies.fields(request.headers.get("content-type", ""), request.body)
    order = rules.order(fields)
    post.prompt_sha256 = order.prompt_sha256
    try:
        marked = markers.marked(str(fields.values["prompt"]))
    except ScenarioError as error:
        raise Refused(answers.task_error(400, "simulator_unknown_scenario", str(error))) from None
    effect, post.scenarios = gateway.rehearsal.effect(order.prompt_sha256, marked)
    return made(gateway, post, order, effect)


def made(gateway: Gateway, post: Post, order: rules.Order, effect: Effect) -> Reply:
    """Make the task, unless the scenario says otherwise, and answer as it says."""
    if effect.hold and effect.hold_before_task:
        gateway.holds.hold(effect.hold)
    shown: Answer | None = None
    if effect.makes_task is not False:
        task = gateway.create(post.account or "", order, effect, post)
        shown = document(wire_object(task.name, order, task.life, task.life.created))
    if effect.hold and not effect.hold_before_task:
        gateway.holds.hold(effect.hold)
    if effect.hang_up:
        return HangUp(how=effect.hang_up)
    return effect.reply or shown or answers.task_error(500, "do_request_failed", "no answer")


# Poll.


def poll(gateway: Gateway, request: Request) -> Reply:
    """The task as it is, or as a scenario has it said."""
    account = gateway.account_of(key_of(request))
    if account is None:
        return strayed(gateway, request, account, answers.wrong_key())
    task = gateway.find(account, request.segment(3))
    if task is None:
        return strayed(gateway, request, account, answers.task_error(400, "task_not_exist", "task_not_exist"))
    fault = task.effect.poll
    if fault is None or not fault.applies(len(task.polls)):
        fault = PollFault()
    if fault.hold:
        gateway.holds.hold(fault.hold)
    shown = {**wire_object(task.name, task.order, task.life, gateway.clock.now()), **(fault.says or {})}
    reply = fault.answer or document(shown)
    gateway.book.polled(task, str(reply.status), reply.code if fault.answer else str(shown["status"]))
    return reply


def strayed(gateway: Gateway, request: Request, account: str | None, reply: Answer) -> Answer:
    """Put a request that met no task on record."""
    gateway.book.stray(request, account, str(reply.status))
    return reply


# Content.


def download(gateway: Gateway, request: Request) -> Reply:
    """The clip, or why there is none."""
    account = gateway.account_of(key_of(request))
    if account is None:
        return strayed(gateway, request, account, answers.wrong_key())
    task = gateway.find(account, request.segment(3))
    if task is None:
        return strayed(gateway, request, account, answers.content_error(404, "Task not found"))
    refusal = not_ready(task, gateway.clock.now())
    if refusal:
        gateway.book.downloading(task, str(refusal.status))
        return refusal
    fault = task.effect.content
    if fault is None or not fault.applies(gateway.book.handing_out(task)):
        fault = ContentFault()
    if fault.answer:
        gateway.book.downloading(task, str(fault.answer.status))
        return fault.answer
    return streamed(gateway, task, fault)


def not_ready(task: Task, now: float) -> Answer | None:
    """Why the content cannot be had: not completed, not there yet, or gone."""
    status = task.life.status(now)
    if status is not Status.COMPLETED:
        return answers.content_error(400, NOT_YET.format(INNER_NAMES[status]))
    if now >= task.life.expires:
        return answers.content_error(404, "Video has expired")
    if now < task.life.content_from:
        return answers.content_error(400, NOT_YET.format(INNER_NAMES[Status.IN_PROGRESS]))
    return None


def streamed(gateway: Gateway, task: Task, fault: ContentFault) -> Stream:
    """The clip as a stream, broken as the fault says."""
    clip = content(task)
    record = gateway.book.downloading(task, "200", clip.size)

    def chunks() -> Iterator[bytes]:
        return clip.chunks() if task.content_sha256 else hashing(gateway, task, clip.chunks(), clip.size)

    def pace(count: int) -> None:
        if fault.bytes_per_second > 0:
            gateway.holds.hold(count / fault.bytes_per_second)

    return Stream(
        chunks=chunks,
        length=clip.size,
        framing=fault.framing,
        declared=max(0, clip.size + fault.extra_length) if fault.extra_length else None,
        stop_after=None if fault.cut is None else int(clip.size * min(max(fault.cut, 0.0), 1.0)),
        piece=max(1, fault.bytes_per_second // 10) if fault.bytes_per_second > 0 else None,
        pace=pace,
        sent=lambda count: gateway.book.sent(task, record, count),
    )


def hashing(gateway: Gateway, task: Task, chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same chunks; their digest goes into the ledger when all have passed."""
    digest = hashlib.sha256()
    passed = 0
    for chunk in chunks:
        digest.update(chunk)
        passed += len(chunk)
        if passed == size:
            gateway.book.hashed(task, digest.hexdigest(), size)
        yield chunk
