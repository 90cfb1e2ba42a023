import polars as pl
import pytest
from glasstape_server.bench import verdict_report
from glasstape_server.bench.map_records import SCHEMA, of_task
from glasstape_server.bench.truth_task import TruthTask
from sklearn.metrics import roc_auc_score

CELLS = {("fixed", "6x8", "conv1d")}


def records(kind, rows, network="conv1d"):
    """Return records of rows (precision, worse ratio, verdict, trust)."""
    columns = {name: [None] * len(rows) for name in SCHEMA}
    precision, ratio, verdict, trust = (list(column) for column in zip(*rows, strict=True))
    columns |= {
        "method": ["OCCLUSION"] * len(rows), "score": ["MARGIN"] * len(rows),
        "precision": [None if p is None else 0.0 for p in precision], "ranked_precision": precision,
        "chance": [0.2] * len(rows), "ratio_mean": ratio, "ratio_resampled": [value + 1 for value in ratio],
        "verdict": verdict, "trust": trust,
    }  # fmt: skip
    task = TruthTask(architecture=network, kind=kind)
    return of_task(pl.DataFrame(columns, schema=SCHEMA), task, 0.9, {})


ROWS = [
    (0.9, 5.0, "RELIABLE", 0.85),
    (0.7, 3.5, "RELIABLE", 0.75),
    (0.3, 3.2, "RELIABLE", 0.35),
    (0.8, 2.8, "CAUTION", 0.72),
    (0.2, 0.5, "DEGENERATE", 0.05),
]
NOISE = [(None, 4.0, "RELIABLE", 0.1), (None, 1.0, "CAUTION", 0.3), (None, 1.0, "CAUTION", 0.2)]


def table(text, title):
    part = text[text.index(title) :].split("\n\n###")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if "|" in line[:1]]


def test_verdicts_are_compared_with_the_truth():
    unjudged = records("moving", [(0.0, 9.0, "RELIABLE", 1.0)])
    maps = pl.concat([records("fixed", ROWS), records("null", NOISE), unjudged])
    (_, _, row) = table(verdict_report.to_markdown(maps, CELLS), "### Verdicts")
    by_verdict = roc_auc_score([1, 1, 1, 0, 0], [0.9, 0.7, 0.3, 0.8, 0.2])
    by_ratio = roc_auc_score([1, 1, 0, 1, 0], [5.0, 3.5, 3.2, 2.8, 0.5])
    assert row == [
        "OCCLUSION of MARGIN", "5", "60%", f"{(0.9 + 0.7 + 0.3) / 3:.3f}", "33%", "0.500", "50%",
        f"{by_verdict:.3f}", f"{by_ratio:.3f}", "1/3",
    ]  # fmt: skip


def test_maps_are_grouped_by_their_worse_deletion_ratio():
    head, _, maps, precision, poor = table(
        verdict_report.to_markdown(records("fixed", ROWS), CELLS), "### Deletion ratios"
    )
    assert head == ["deletion ratio", "< 1", "2.5–3", "3–4", "4–6"]
    assert maps == ["maps", "1", "1", "2", "1"]
    assert precision == ["AUPRC", "0.200", "0.800", "0.500", "0.900"]
    assert poor == ["poor", "100%", "0%", "50%", "0%"]


def test_trust_is_compared_with_the_truth_in_classes():
    maps = pl.concat([records("fixed", ROWS), records("null", NOISE)])
    text = verdict_report.to_markdown(maps, CELLS)
    head, _, count, trust, precision, corrected, _ = table(text, "### Trust")
    assert head == ["trust", "0–0.1", "0.3–0.4", "0.7–0.8", "0.8–0.9"]
    assert count == ["maps", "1", "1", "2", "1"]
    assert trust == ["mean trust", "0.050", "0.350", "0.735", "0.850"]
    assert precision == ["AUPRC", "0.200", "0.300", "0.750", "0.900"]
    assert corrected[3] == f"{((0.7 - 0.2) / 0.8 + (0.8 - 0.2) / 0.8) / 2:.3f}"
    assert "AUPRC beyond chance: 0.900." in text
    assert "Median trust on noise: 0.200." in text


def test_tables_without_maps_are_left_out():
    without_trust = records("fixed", [(*row[:3], None) for row in ROWS])
    text = verdict_report.to_markdown(without_trust, CELLS)
    assert "### Verdicts" in text
    assert "### Trust" not in text
    assert verdict_report.to_markdown(without_trust, set()) == ""


def test_the_auc_of_one_class_is_undefined():
    assert verdict_report.auc(pl.Series([0.1, 0.2]), pl.Series([True, True])) != pytest.approx(0.5)
