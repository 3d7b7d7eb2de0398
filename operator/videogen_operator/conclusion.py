"""Where an object stands when its video is, or was, in the bucket."""

from . import ledger
from .actions import Conclude
from .api.generation import VideoGeneration
from .api.money import usd
from .conditions import Reason, Standing, Step, Type, queued


def standing(action: Conclude, obj: VideoGeneration) -> Standing:
    """What the result makes of the object; of an adopted video also whether it is still there."""
    result, output = action.result, action.result.output
    if obj.spec.revision > output.revision:
        message = f"revision {output.revision} is stored at {output.uri}; revision {obj.spec.revision} is next"
        return queued(Reason.QUEUED, message, result.class_)
    cost = usd(result.cost_usd)
    paid = f"no new charge (billed {cost} before)" if action.adopted else f"billed {cost}"
    seconds = output.duration_millis / 1000
    measured = f"{output.size_bytes} bytes, {seconds:g} s, {output.width_pixels}x{output.height_pixels}"
    asked = f"; not as ordered: {result.mismatch}" if result.mismatch else ""
    notes = {
        Type.SUBMITTED: f"task {result.task_id}",
        Type.GENERATED: _took(result),
        Type.STORED: measured + asked,
        Type.SUCCEEDED: "",
        Type.FINISHED: "",
    }
    if action.adopted and not action.there:
        message = (
            f"the video of this revision was bought and stored at {output.uri}, but is not there any more; "
            "only a raised spec.revision pays for a new one"
        )
        return Standing(step=Step.OUTPUT_MISSING, reason=Reason.OUTPUT_MISSING, message=message, adopted=True)
    return Standing(
        step=Step.SUCCEEDED,
        reason=Reason.SUCCEEDED,
        message=f"Video stored at {output.uri}; {paid}{asked}",
        notes=notes,
        adopted=action.adopted,
        mismatch=bool(result.mismatch),
    )


def _took(result: ledger.Result) -> str:
    if result.submit_time is None:
        return "completed"
    return f"completed in {(result.completion_time - result.submit_time).total_seconds():.0f} s"
