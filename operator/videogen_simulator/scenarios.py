"""The table of named scenarios. Adding one: a name, a sentence, its parameters, and the effect.

A parameter's default gives its type; a tuple of words is a choice whose first word is the default.
Besides its own, each scenario takes `times=n`: only the first n POSTs with the same prompt meet it.
"""

from collections.abc import Mapping

from . import answers, settings
from .answers import document, html_page, task_error
from .effects import Effect, Failure
from .rules import SIZES
from .scenario import Scenario, at_least_one, content, poll, refuse, replied

POLICY = "The prompt could not be submitted: it violates the usage guidelines of the content policy (safety)."
POLICY_ENDED = "Veo could not generate the video: blocked by safety filters (content policy). You were not charged."
INTERNAL = "INTERNAL: the model is currently under high load, please try again later (code 13)"
NOT_RESOLVED = "Failed to resolve Gemini video URL"
ONCE = {"after": 0, "polls": 1}
ALWAYS = {"after": 0, "polls": 0}

SCENARIOS: Mapping[str, Scenario] = {
    "none": Scenario(
        says="Nothing is changed; armed with a count, it lets that many POSTs pass.", effect=lambda _: Effect()
    ),
    # Refused at the POST: nothing is made, nothing is billed.
    "refused-parameters": Scenario(
        says="400 `parse_request_failed`.",
        effect=lambda _: refuse(
            task_error(
                400,
                "parse_request_failed",
                "json: cannot unmarshal number into Go struct field TaskSubmitReq.duration of type string",
            )
        ),
    ),
    "content-policy": Scenario(
        says="The prompt is refused at the POST for the content policy.",
        takes={"status": 400},
        effect=lambda p: refuse(task_error(p["status"], "content_policy_violation", POLICY)),
    ),
    "wrong-key": Scenario(says="401, as for a key that does not exist.", effect=lambda _: refuse(answers.wrong_key())),
    "no-balance": Scenario(
        says="403 `insufficient_user_quota`; `status=429` for the channel's other way to say it.",
        takes={"status": 403},
        effect=lambda p: refuse(answers.no_balance(p["status"])),
    ),
    "rate-limited": Scenario(
        says="429; `retry_after` in seconds adds the header, which the gateway itself does not send.",
        takes={"retry_after": 0},
        effect=lambda p: refuse(answers.too_many(p["retry_after"])),
    ),
    "model-gone": Scenario(
        says="404: the provider switched the model off.", effect=lambda _: refuse(answers.retired())
    ),
    "no-channel": Scenario(
        says="503 `model_not_found`: no channel serves the model.",
        effect=lambda _: refuse(answers.no_channel("of this request")),
    ),
    # The answer to the POST says little or nothing about the task.
    "server-error": Scenario(
        says="A 5xx with the gateway's own JSON error. `task=made`: the job exists all the same.",
        takes={"status": 500, "task": ("none", "made")},
        effect=lambda p: replied(task_error(p["status"], "do_request_failed", "请求上游地址失败"), p),
    ),
    "html-error": Scenario(
        says="A 5xx with the HTML page of a proxy in front of the gateway.",
        takes={"status": 502, "task": ("made", "none")},
        effect=lambda p: replied(html_page(p["status"]), p),
    ),
    "answer-lost": Scenario(
        says="The task is made, then the connection ends without an answer.",
        takes={"how": ("close", "reset")},
        effect=lambda p: Effect(hang_up=p["how"]),
    ),
    "request-lost": Scenario(
        says="The connection ends without an answer, and no task was made.",
        takes={"how": ("close", "reset")},
        effect=lambda p: Effect(hang_up=p["how"], makes_task=False),
    ),
    "slow-answer": Scenario(
        says="The POST is held open for `seconds` of wall time, the task made before or after the wait.",
        takes={"seconds": 10.0, "task": ("before", "after")},
        effect=lambda p: Effect(hold=p["seconds"], hold_before_task=p["task"] == "after"),
    ),
    "answer-without-id": Scenario(
        says="200 with a task object that has no id. The task exists.",
        takes={"task": ("made", "none")},
        effect=lambda p: replied(document({"object": "video", "status": "queued", "progress": 0}), p),
    ),
    "answer-not-json": Scenario(
        says="200 with an HTML page. The task exists.",
        takes={"task": ("made", "none")},
        effect=lambda p: replied(html_page(200), p),
    ),
    "answer-huge": Scenario(
        says="200 with so many bytes of JSON and no id. The task exists.",
        takes={"size": "10MB", "task": ("made", "none")},
        effect=lambda p: replied(document({"padding": "x" * settings.size("size", p["size"])}), p),
    ),
    # How the task ends.
    "failed-policy": Scenario(
        says="The task is `failed` for the content policy after `seconds`.",
        takes={"seconds": 8.0},
        effect=lambda p: Effect(failure=Failure(message=POLICY_ENDED, code="content_policy"), duration=p["seconds"]),
    ),
    "failed-internal": Scenario(
        says="The task is `failed` for want of capacity after `seconds`; `times=1` lets the next POST go well.",
        takes={"seconds": 20.0},
        effect=lambda p: Effect(failure=Failure(message=INTERNAL, code="INTERNAL"), duration=p["seconds"]),
    ),
    "failed-once": Scenario(
        says="As `failed-internal`, for the first POST with this prompt only.",
        takes={"seconds": 20.0, "times": 1},
        effect=lambda p: Effect(failure=Failure(message=INTERNAL, code="INTERNAL"), duration=p["seconds"]),
    ),
    "failed-silent": Scenario(
        says="The task is `failed` and no reason is given.",
        takes={"seconds": 20.0},
        effect=lambda p: Effect(failure=Failure(), duration=p["seconds"]),
    ),
    "endless": Scenario(
        says="The task never ends: it stays queued, or in progress.",
        takes={"state": ("queued", "in_progress")},
        effect=lambda p: Effect(endless=p["state"]),
    ),
    "takes": Scenario(
        says="The task takes exactly `seconds` of simulated time.",
        takes={"seconds": 60.0},
        effect=lambda p: Effect(duration=p["seconds"]),
    ),
    # What polls say.
    "false-failure": Scenario(
        says="`polls` polls say `failed` of a task that goes well (0: all).",
        takes=ONCE,
        effect=lambda p: poll(p, says={"status": "failed", "progress": 100}),
    ),
    "poll-error": Scenario(
        says="`polls` polls are answered with `status` and the gateway's JSON error (0: all).",
        takes={**ONCE, "status": 500},
        effect=lambda p: poll(p, answer=task_error(p["status"], "get_task_failed", "internal error")),
    ),
    "poll-not-found": Scenario(
        says="`polls` polls say 400 `task_not_exist` (0: all).",
        takes=ONCE,
        effect=lambda p: poll(p, answer=task_error(400, "task_not_exist", "task_not_exist")),
    ),
    "poll-status": Scenario(
        says="`polls` polls carry the status `says` (0: all).",
        takes={**ALWAYS, "says": "unknown"},
        effect=lambda p: poll(p, says={"status": p["says"]}),
    ),
    "poll-slow": Scenario(
        says="`polls` polls are held open for `seconds` of wall time (0: all).",
        takes={**ONCE, "seconds": 60.0},
        effect=lambda p: poll(p, hold=p["seconds"]),
    ),
    # What is handed out.
    "content-late": Scenario(
        says="`/content` answers 400 for `seconds` after completion.",
        takes={"seconds": 60.0},
        effect=lambda p: Effect(content_delay=p["seconds"]),
    ),
    "content-cut": Scenario(
        says="`downloads` downloads end at the part `at` of the bytes (0: all of them do).",
        takes={"at": 0.5, "downloads": 1, "framing": ("length", "close", "chunked")},
        effect=lambda p: content(p, cut=p["at"], framing=p["framing"]),
    ),
    "content-length": Scenario(
        says="The Content-Length of `downloads` downloads is wrong by `off` bytes (0: all).",
        takes={"off": 1000, "downloads": 1},
        effect=lambda p: content(p, extra_length=p["off"]),
    ),
    "content-slow": Scenario(
        says="`downloads` downloads run at `rate` bytes a second (0: all of them).",
        takes={"rate": 1000, "downloads": 1},
        effect=lambda p: content(p, bytes_per_second=p["rate"]),
    ),
    "content-json": Scenario(
        says="`downloads` downloads give 200 and `video/mp4`, and the bytes are a JSON error (0: all).",
        takes={"downloads": 1},
        effect=lambda p: content(
            p, answer=answers.labelled(document({"error": {"message": "upstream error", "code": 500}}), "video/mp4")
        ),
    ),
    "content-html": Scenario(
        says="`downloads` downloads give 200 and an HTML page (0: all).",
        takes={"downloads": 1},
        effect=lambda p: content(p, answer=html_page(200)),
    ),
    "content-redirect": Scenario(
        says="`downloads` downloads are redirected to `to` (0: all).",
        takes={"to": "http://127.0.0.1:9/elsewhere", "downloads": 1},
        effect=lambda p: content(p, answer=answers.redirect(302, p["to"])),
    ),
    "content-error": Scenario(
        says="`downloads` downloads give `status` (0: all). With 502 for ever: completed, billed, and no video.",
        takes={"status": 502, "downloads": 0},
        effect=lambda p: content(p, answer=answers.content_error(p["status"], NOT_RESOLVED)),
    ),
    "content-expired": Scenario(
        says="The content is gone `seconds` after completion: 404.",
        takes={"seconds": 0.0},
        effect=lambda p: Effect(retention=p["seconds"]),
    ),
    # What the clip is.
    "clip-short": Scenario(
        says="The clip is `seconds` long, whatever was asked and billed.",
        takes={"seconds": 4},
        effect=lambda p: Effect(clip_seconds=at_least_one("seconds", p["seconds"])),
    ),
    "clip-small": Scenario(
        says="The clip has the pixels `size`, whatever was asked and billed.",
        takes={"size": tuple(SIZES)},
        effect=lambda p: Effect(clip_size=p["size"]),
    ),
    "clip-bytes": Scenario(
        says="The clip is padded to `size` bytes (`40MB`).",
        takes={"size": "4MB"},
        effect=lambda p: Effect(clip_bytes=settings.size("size", p["size"])),
    ),
    "c2pa": Scenario(says="The clip carries a C2PA box.", effect=lambda _: Effect(c2pa=True)),
}
