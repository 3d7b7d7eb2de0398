"""How the benchmark reads a process and tells that it is quiet."""

import os

from bench.crowd import likenesses
from bench.process import Process, quiet_since


def test_a_process_is_measured_by_the_kernel() -> None:
    me = Process(os.getpid())
    assert me.peak() >= me.rss() > 1_000_000
    assert me.threads() >= 1
    assert me.cpu_seconds() > 0


def test_quiet_begins_with_the_first_sample_after_the_work() -> None:
    samples = [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (3.0, 2.01), (4.0, 2.02), (5.1, 2.03)]
    assert quiet_since(samples) == (2.0, 2.0)


def test_a_process_that_worked_a_moment_ago_is_not_quiet() -> None:
    assert quiet_since([(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.5, 0.5)]) is None


def test_a_process_is_not_quiet_before_it_was_watched_for_long_enough() -> None:
    assert quiet_since([(0.0, 0.0), (2.9, 0.0)]) is None


def test_a_likeness_bears_its_own_name_wherever_the_original_bore_its_own() -> None:
    original = {
        "apiVersion": "videogen.dev/v1alpha1",
        "kind": "VideoGeneration",
        "metadata": {"name": "first", "namespace": "default", "uid": "1"},
        "spec": {"prompt": "a cat"},
        "status": {"output": {"key": "default/first/r1/video.mp4"}},
    }
    (made,) = likenesses(original, ["second"])
    assert made["metadata"] == {"name": "second", "namespace": "default"}
    assert made["status"]["output"]["key"] == "default/second/r1/video.mp4"
