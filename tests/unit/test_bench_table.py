"""The benchmark's table."""

from bench import session
from bench.table import MB, MIB, Row, at_most, kilobytes, markdown, mebibytes, megabytes, plain, whole_seconds


def test_a_number_at_its_goal_meets_it() -> None:
    assert at_most("P1", "writes", 3, 3, plain).verdict == "met"


def test_a_number_above_its_goal_is_called_missed() -> None:
    assert at_most("P1", "writes", 4, 3, plain).verdict == "MISSED"


def test_a_number_without_a_goal_is_not_judged() -> None:
    assert Row(metric="P9", what="speed", ours="fast").verdict == ""


def test_units_are_what_they_are_called() -> None:
    assert (megabytes(110 * MB), mebibytes(40 * MIB), kilobytes(2000)) == ("110.0 MB", "40.0 MiB", "2.00 kB")
    assert whole_seconds(277.6) == "278 s"


def test_columns_of_the_table_are_aligned() -> None:
    lines = markdown([at_most("P1", "writes", 4, 3, plain), Row(metric="P10", what="x", ours="1")]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2].split("|")[1:-1] == [" P1  ", " writes ", " 4    ", " <= 3 ", " MISSED "]


def test_a_report_is_in_the_order_of_the_numbers_and_counts_what_is_judged() -> None:
    rows = [
        Row(metric="P10", what="x", ours="1"),
        at_most("P1", "late", 4, 3, plain),
        at_most("P1", "soon", 3, 3, plain),
    ]
    *_, first, second, third, _, summary = session.report(rows, 65.0, 0.5).splitlines()
    assert [line.split()[1] for line in (first, second, third)] == ["P1", "P1", "P10"]
    assert summary.startswith("1 of 2 goals met.")
    assert summary.endswith("load 0.5 before the start; it took 1 min 05 s.")
