"""What is kept of an object in mid-flight: all of it, in a tenth of the room, until its next turn."""

import pytest

from builders import (
    a_closing,
    a_result,
    a_submitted,
    a_task,
    an_answer,
    an_end,
    an_intent,
    make_attempt,
    make_folder,
    make_generation,
    make_pursuit,
    submitted_status,
)
from fakes import Life
from rehearsal import Cluster, Process, finished, object_manifest
from videogen_operator import ledger
from videogen_operator.api.generation import RESOLVE_ANNOTATION, VideoGeneration
from videogen_operator.api.generation_status import AttemptState, Status
from videogen_operator.api.meta import Key
from videogen_operator.conditions import Step
from videogen_operator.ledger import Answer, Folder
from videogen_operator.reconcile.flight import Flight

OBJECTS = {
    "new": make_generation(),
    "with all it can say": make_generation(
        status=submitted_status(make_attempt(state=AttemptState.FAILED), a_submitted(2), step=Step.GENERATING),
        annotations={RESOLVE_ANNOTATION: "r1-a1:resubmit"},
        seed=7,
        negative_prompt="no text",
        revision=3,
        suspend=True,
    ),
    "without a status": make_generation(status=Status()),
}
FOLDERS = {
    "empty": make_folder(),
    "a task": make_folder(an_intent(), a_task()),
    "an answer": make_folder(an_intent(), an_answer(Answer.RESUBMIT), an_intent(2), a_task(2), an_end(2), a_closing(3)),
    "stored": make_folder(an_intent(), a_task(), a_result()),
}


@pytest.mark.parametrize("obj", OBJECTS.values(), ids=OBJECTS)
def test_an_object_comes_back_as_it_was(obj: VideoGeneration) -> None:
    flight = Flight(Key("VideoGeneration", "films", "dawn"))
    flight.obj = obj
    flight.pack()
    assert flight.peek() == obj
    assert flight.known() == obj


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_a_folder_comes_back_as_it_was(folder: Folder) -> None:
    flight = Flight(Key("VideoGeneration", "films", "dawn"))
    flight.work.folder = folder
    flight.pack()
    assert flight.work.folder == folder
    assert ledger.parse_folder(folder.id, ledger.folder_files(folder)) == folder


def test_a_look_from_another_thread_unpacks_nothing() -> None:
    flight = Flight(Key("VideoGeneration", "films", "dawn"))
    flight.obj = make_generation()
    flight.pack()
    flight.peek()
    assert isinstance(flight._obj, bytes)


def test_what_a_task_is_waited_for_with_is_bytes() -> None:
    cluster = Cluster().ready()
    cluster.api.lives = [Life(polls=["queued"] * 30 + ["completed"])]
    cluster.kube.put(object_manifest())
    with Process(cluster) as process:
        process.run(120)
        (flight,) = process.whole.flights.all()
        assert isinstance(flight._obj, bytes)
        assert not isinstance(flight.work._folder, Folder)
        assert process.run(1200, until=finished(cluster))


def test_what_is_dropped_at_rest_is_not_what_is_owed() -> None:
    flight = Flight(Key("VideoGeneration", "films", "dawn"))
    flight.obj, flight.work.pursuit = make_generation(), make_pursuit()
    flight.rest()
    assert flight.obj is not None
