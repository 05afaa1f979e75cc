"""Findings that a table gives by itself: leaks, labels, compressions, small faces, partners."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from rows import fake, manifest_of, row

from difffake.data.check.finding import Finding
from difffake.data.check.leaks import leaks
from difffake.data.check.tables import boxes, compressions, face_sides, labels, partners, small_faces
from difffake.data.partners import find_partners


def only(findings: list[Finding], level: str) -> list[str]:
    return [f"{found.subject}: {found.text} {found.examples}" for found in findings if found.level == level]


CLEAN = (
    row("a/0.png", video="a", identity="ann"),
    fake("ax/0.png", video="a_b", target="a", source="b"),
    row("b/0.png", video="b", identity="bob"),
    row("c/0.png", video="c", identity="cem", split="test"),
    fake("cx/0.png", video="c_e", target="c", source="e", split="test"),
    row("e/0.png", video="e", identity="eva", split="test"),
)


def test_a_clean_table_has_no_fault_and_no_warning() -> None:
    manifest = manifest_of(*CLEAN)
    found = [*leaks(manifest.table), *labels(manifest.table), *compressions(manifest.table)]
    found += partners(manifest, find_partners(manifest))
    assert [str(finding) for finding in found] == [
        "note: labels: train: 2 real of 2 videos, 1 fake of 1 video",
        "note: labels: test: 2 real of 2 videos, 1 fake of 1 video",
    ]


@pytest.mark.parametrize(
    ("extra", "subject", "example"),
    [
        (row("f/0.png", video="f", identity="ann", split="test"), "identity leak", "d/ann"),
        (
            row("a/1.png", video="a", frame=1, split="test"),
            "target, video leak",
            "d/a: video and target in train, video in test",
        ),
        (fake("f/0.png", video="f", source="b", split="test"), "source, video leak", "d/b"),
        (fake("f/0.png", video="f", target="a", split="test"), "target, video leak", "d/a"),
        (fake("f/0.png", dataset="forged-d", video="f", target="a", split="val"), "target, video leak", "d/a"),
        (row("crops/g.png", split="val"), None, ""),
    ],
    ids=["identity", "video", "source", "target", "forged", "none"],
)
def test_each_leak_is_a_fault_that_names_it(extra: dict[str, Any], subject: str | None, example: str) -> None:
    found = only(list(leaks(manifest_of(*CLEAN, extra).table)), "fault")
    if subject is None:
        assert not found
    else:
        (line,) = [line for line in found if line.startswith(f"{subject}:")]
        assert f"train and {extra['split']} share 1 " in line
        assert example in line


def test_a_persons_source_in_another_split_is_an_identity_leak() -> None:
    extra = fake("f/0.png", video="f", source="b", split="test")
    assert any(
        "identity leak" in line and "d/bob" in line
        for line in only(list(leaks(manifest_of(*CLEAN, extra).table)), "fault")
    )


def test_a_lone_still_that_a_fake_of_another_split_was_made_of() -> None:
    table = manifest_of(row("crops/ann/1.png"), fake("crops/x/1.png", target="ann/1", split="test")).table
    (line,) = only(list(leaks(table)), "fault")
    assert "still in train" in line
    assert "target in test" in line


def test_labels_that_are_uneven_told_by_the_data_set_or_contradicted() -> None:
    rows = [row(f"{n}.png") for n in range(30)] + [fake("x.png")]
    assert "train is uneven, 3.2 % of the rarer label" in only(list(labels(manifest_of(*rows).table)), "warning")[0]
    split = [row("a.png"), fake("b.png"), row("c.png", split="test")]
    assert "test has no fakes" in only(list(labels(manifest_of(*split).table)), "warning")[0]
    apart = only(list(labels(manifest_of(row("a.png"), fake("b.png", dataset="e")).table)), "warning")
    assert "('d: real faces only', 'e: fakes only')" in apart[0]
    assert not only(list(labels(manifest_of(row("a.png"), fake("b.png", dataset="forged-d")).table)), "warning")
    wrong = only(list(labels(manifest_of(row("a.png"), fake("b.png", method="real")).table)), "warning")
    assert "b.png" in wrong[0]
    assert not only(list(labels(manifest_of(row("a.png"), row("b.png", split="val")).table)), "warning")  # no fakes


def test_compressions_are_told_and_those_that_give_the_label_away() -> None:
    mixed = [row("a.png", compression="c23"), fake("b.png", compression="c23"), row("c.png", compression="c40")]
    one, other = only(list(compressions(manifest_of(*mixed).table)), "warning")
    assert "d has 2, c23 2, c40 1: choose with --compressions" in one
    assert "c40: real faces only" in other
    even = [*mixed, fake("d.png", compression="c40")]
    assert len(only(list(compressions(manifest_of(*even).table)), "warning")) == 1


def test_small_faces_by_box_without_its_margin_or_by_the_crop() -> None:
    manifest = manifest_of(
        row("large.png", box=[0, 0, 90, 90], margin=1.3),
        row("small.png", box=[10, 20, 90, 100], margin=1.3),
        row("unknown-margin.png", box=[0, 0, 70, 70]),
        row("crop.png"),
        row("not-opened.png"),
    )
    assert np.isnan(boxes(manifest.table)[3:]).all()
    sides = face_sides(manifest.table, np.array([9, 9, 9, 50, np.nan]))
    assert sides[:4] == pytest.approx([90 / 1.3, 80 / 1.3, 70, 50])
    (line,) = only(list(small_faces(manifest.table, sides)), "warning")
    assert "2 faces under 64 px in the original image (train 2) ('crop.png: 50 px', 'small.png: 62 px')" in line


def test_boxes_are_read_from_arrow_lists_too() -> None:
    import pyarrow as pa

    lists = pd.Series([[1, 2, 3, 4], None, [5, 6, 7, 8]], dtype=pd.ArrowDtype(pa.list_(pa.float32())))
    found = boxes(pd.DataFrame({"box": lists}))
    assert found[[0, 2]].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert np.isnan(found[1]).all()


def test_fakes_without_partners_and_at_other_frames() -> None:
    rows = [row(f"a/{n}.png", video="a", frame=n) for n in (0, 5)]
    rows += [fake(f"x/{n}.png", video="x", frame=n, target="a", source="nobody") for n in (0, 4)]
    rows += [fake("y.png")]
    manifest = manifest_of(*rows)
    found = list(partners(manifest, find_partners(manifest)))
    warnings, notes = only(found, "warning"), only(found, "note")
    assert any(
        "no source: 2 fakes of 3 name one that is no real face here ('x/0.png: nobody'" in line for line in warnings
    )
    assert any("other frames: 1 fake of 3" in line and "x/4.png with a/5.png" in line for line in warnings)
    assert [line.partition(" of")[0] for line in notes] == ["no source: 1", "no target: 1"]
    recorded = {manifest.file(3).as_posix(): ("", "")}
    assert not any(
        "other frames" in line for line in only(list(partners(manifest, find_partners(manifest), recorded)), "warning")
    )
