"""The benchmark's table."""

from bench.table import MB, MIB, Row, at_most, kilobytes, markdown, mebibytes, megabytes, plain


def test_a_number_at_its_goal_meets_it() -> None:
    assert at_most("P1", "writes", 3, 3, plain).verdict == "met"


def test_a_number_above_its_goal_is_called_missed() -> None:
    assert at_most("P1", "writes", 4, 3, plain).verdict == "MISSED"


def test_a_number_without_a_goal_is_not_judged() -> None:
    assert Row(metric="P9", what="speed", ours="fast").verdict == ""


def test_units_are_what_they_are_called() -> None:
    assert (megabytes(110 * MB), mebibytes(40 * MIB), kilobytes(2000)) == ("110.0 MB", "40.0 MiB", "2.00 kB")


def test_columns_of_the_table_are_aligned() -> None:
    lines = markdown([at_most("P1", "writes", 4, 3, plain), Row(metric="P10", what="x", ours="1")]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2].split("|")[1:-1] == [" P1  ", " writes ", " 4    ", " <= 3 ", " MISSED "]
