"""Scores of people over time."""

import pytest

from difffake.evaluation.pictures.people import MOST, PersonCourse, people_figure


def test_each_person_has_a_panel_with_the_limits() -> None:
    people = [
        PersonCourse("1: fake", [0.0, 1.0, 2.5], [0.2, 0.9, 0.7], "red"),
        PersonCourse("2: real", [1.0], [0.1], "blue"),
    ]
    figure = people_figure(people, {"fake from here on": 0.8, "real up to here": 0.3}, "clip.mp4")
    first, second = figure.axes
    line, points, *limits = first.get_lines()
    for drawn in (line, points):
        assert drawn.get_xdata() == pytest.approx([0.0, 1.0, 2.5])
        assert drawn.get_color() == "red"
        assert drawn.get_ydata() == pytest.approx([0.2, 0.9, 0.7])
    assert [limit.get_ydata()[0] for limit in limits] == [0.8, 0.3]
    assert [text.get_text() for text in first.texts] == ["fake from here on", "real up to here"]
    assert [axes.get_title(loc="left") for axes in (first, second)] == ["1: fake", "2: real"]
    assert figure.get_suptitle() == "clip.mp4"


def test_of_many_people_the_first_are_drawn_and_it_is_said() -> None:
    figure = people_figure([PersonCourse(str(n), [0.0, 1.0], [0.5, 0.5], "gray") for n in range(9)], {}, "crowd.mp4")
    assert len(figure.axes) == MOST
    assert figure.get_suptitle() == "crowd.mp4 (the first 6 of 9 people)"
