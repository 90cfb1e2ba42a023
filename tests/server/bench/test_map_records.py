import json
from pathlib import Path

import polars as pl
import pytest
from glasstape_server.bench import map_records
from glasstape_server.bench.map_records import SCHEMA
from glasstape_server.bench.truth_task import TruthTask


def records(count=2):
    columns = {name: [None] * count for name in SCHEMA}
    columns |= {"method": ["GRADIENT"] * count, "precision": [0.5, 1.0][:count]}
    maps = pl.DataFrame(columns, schema=SCHEMA)
    task = TruthTask(architecture="linear", kind="fixed", steps=12, seed=3)
    return map_records.of_task(maps, task, 0.9, {"skill": 4.0})


@pytest.mark.parametrize("name", ["maps.jsonl", "maps.parquet"])
def test_records_of_all_tasks_are_read_back(tmp_path, name):
    path = tmp_path / name
    map_records.check_path(path)
    map_records.write([records(), records(1)], path)
    read = pl.read_ndjson(path) if path.suffix == ".jsonl" else pl.read_parquet(path)
    assert read["precision"].to_list() == [0.5, 1.0, 0.5]
    assert read.columns == ["set", "shape", "network", "seed", "permuted", "accuracy", "skill", *SCHEMA]
    assert read.row(0, named=True)["shape"] == "12x8"
    if path.suffix == ".jsonl":
        assert json.loads(path.read_text().splitlines()[0])["trust"] is None


def test_a_path_that_cannot_be_written_is_rejected_before_training(tmp_path):
    with pytest.raises(ValueError, match=r"must end with \.jsonl or \.parquet, is maps\.csv"):
        map_records.check_path(Path("maps.csv"))
    with pytest.raises(ValueError, match=r"folder .*missing does not exist"):
        map_records.check_path(tmp_path / "missing" / "maps.jsonl")
