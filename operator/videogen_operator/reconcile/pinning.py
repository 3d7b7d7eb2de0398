"""What an adoption fixes in the status: the same as a submission, read from the ledger."""

from .. import ledger, writes
from ..admission import Offer
from ..api.generation_status import Resolved
from ..job import Job, ordered
from ..ledger import Entry


def pins_of_attempt(job: Job, entry: Entry) -> writes.Pins:
    """The pins of an attempt whose task, end or doubt is adopted."""
    return _pins(job, entry.request, ordered(job, entry))


def pins_of_result(job: Job, result: ledger.Result) -> writes.Pins:
    """The pins of a video that is stored."""
    return _pins(job, result.request, result.resolved)


def _pins(job: Job, request: ledger.Request | None, resolved: Resolved | None) -> writes.Pins:
    if request is None and isinstance(job.offer, Offer):
        request = job.offer.request
    hash_ = request.hash if request else ""
    return writes.Pins(klass=job.with_class(), ledger_uri=job.ledger_uri, request_hash=hash_, resolved=resolved)
