"""The table of scenarios and the words that choose them."""

import re

import pytest

from videogen_simulator import markers
from videogen_simulator.effects import NOTHING, Effect, PollFault
from videogen_simulator.markers import Chosen, chosen, marked, merged
from videogen_simulator.rehearsal import Rehearsal
from videogen_simulator.scenario import ScenarioError
from videogen_simulator.scenarios import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_works_without_parameters(name: str) -> None:
    (one,) = marked(f"a cat [[sim:{name}]] on a mat")
    assert one.name == name
    assert (one.effect == NOTHING) == (name == "none")


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        (name, key, str(value[-1] if isinstance(value, tuple) else value))
        for name, row in SCENARIOS.items()
        for key, value in row.takes.items()
    ],
)
def test_every_parameter_can_be_given_as_text(name: str, key: str, value: str) -> None:
    (one,) = marked(f"[[sim:{name} {key}={value}]]")
    assert one.effect != NOTHING


def test_parameters_reach_the_effect() -> None:
    (one,) = marked("[[sim:slow-answer seconds=5 task=after]]")
    assert (one.effect.hold, one.effect.hold_before_task) == (5.0, True)


def test_several_markers_add_up() -> None:
    effect = merged(marked("[[sim:content-late seconds=60]] a cat [[sim:clip-short seconds=6]]"))
    assert effect == Effect(content_delay=60.0, clip_seconds=6)


def test_the_first_of_two_that_differ_wins() -> None:
    assert merged(marked("[[sim:takes seconds=1]][[sim:takes seconds=2]]")).duration == 1.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[sim:answer-lots]]", "there is no scenario 'answer-lots' (did you mean answer-lost?); GET "),
        ("[[sim:]]", "there is no scenario ''; GET /_sim/scenarios lists them"),
        ("[[sim:takes minutes=1]]", "takes takes times, seconds, not 'minutes'"),
        ("[[sim:takes seconds=soon]]", "takes: seconds needs a value such as 60.0, not 'soon'"),
        ("[[sim:takes seconds=nan]]", "takes: seconds needs"),
        ("[[sim:answer-lost how=slam]]", "answer-lost: how needs one of close, reset, not 'slam'"),
        ("[[sim:poll-error status=99]]", "poll-error: status needs"),
        ("[[sim:clip-short seconds=0]]", "seconds: from 1 to 60"),
        ("[[sim:clip-bytes size=big]]", "clip-bytes: size: 'big' is not a size such as 4MB"),
        ("[[sim:none]]" * 21, "at most 20 markers in a prompt"),
    ],
)
def test_a_wrong_marker_is_refused_with_what_there_is(text: str, says: str) -> None:
    """A misspelt rehearsal that goes well would be worse than none."""
    with pytest.raises(ScenarioError, match=re.escape(says)):
        marked(text)


@pytest.mark.parametrize("text", ["a cat", "[sim:endless]", "[[sim:endless]", "[[ sim:endless]]"])
def test_other_text_is_no_marker(text: str) -> None:
    assert marked(text) == ()


def test_times_counts_the_posts_of_one_prompt() -> None:
    rehearsal = Rehearsal()
    (one,) = marked("[[sim:server-error times=2]]")
    met = [rehearsal.effect(prompt, (one,))[1] for prompt in ("p", "p", "q", "p")]
    assert met == [("server-error",), ("server-error",), ("server-error",), ()]


def test_times_counts_for_what_is_armed_as_for_a_marker() -> None:
    rehearsal = Rehearsal()
    rehearsal.arm(chosen("failed-once", {}), None)
    met = [rehearsal.effect(prompt, ())[1] for prompt in ("p", "p", "q")]
    assert met == [("failed-once",), (), ("failed-once",)]


def test_a_post_that_is_marked_twice_counts_once() -> None:
    rehearsal = Rehearsal()
    twice = marked("[[sim:takes seconds=1 times=2]] [[sim:takes seconds=2 times=2]]")
    assert [len(rehearsal.effect("p", twice)[1]) for _ in range(3)] == [2, 2, 0]


def test_a_scenario_that_happens_once_needs_no_parameter() -> None:
    assert chosen("failed-once", {}).limited
    assert not chosen("failed-internal", {}).limited


def test_armed_scenarios_are_used_up_in_order() -> None:
    rehearsal = Rehearsal()
    rehearsal.arm(chosen("endless", {}), None)
    rehearsal.arm(chosen("none", {}), 2)
    rehearsal.arm(chosen("answer-lost", {}), 1)
    met = [rehearsal.effect("p", ())[1] for _ in range(5)]
    assert met == [("none",), ("none",), ("answer-lost",), ("endless",), ("endless",)]


def test_a_marker_says_more_than_what_is_armed() -> None:
    rehearsal = Rehearsal()
    rehearsal.arm(chosen("takes", {"seconds": 9}), None)
    effect, names = rehearsal.effect("p", marked("[[sim:takes seconds=1]]"))
    assert (effect.duration, names) == (1.0, ("takes", "takes"))


def test_disarming_starts_the_counts_anew() -> None:
    rehearsal = Rehearsal()
    once: tuple[Chosen, ...] = marked("[[sim:failed-once]]")
    rehearsal.arm(chosen("endless", {}), None)
    assert rehearsal.effect("p", once)[1] == ("failed-once", "endless")
    rehearsal.disarm()
    assert rehearsal.effect("p", once)[1] == ("failed-once",)
    assert rehearsal.effect("p", once)[1] == ()


@pytest.mark.parametrize(
    ("fault", "met"),
    [
        (PollFault(), [0, 1, 2, 3]),
        (PollFault(first=1, count=2), [1, 2]),
        (PollFault(first=2), [2, 3]),
        (PollFault(count=1), [0]),
    ],
)
def test_a_poll_fault_meets_the_polls_it_names(fault: PollFault, met: list[int]) -> None:
    assert [number for number in range(4) if fault.applies(number)] == met


def test_json_values_serve_as_parameters() -> None:
    assert markers.chosen("takes", {"seconds": 5}).effect.duration == 5.0
