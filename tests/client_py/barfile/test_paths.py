"""Files of bars by name, folder or pattern."""

import os
from pathlib import Path

import pytest
from glasstape.barfile import BarFileError, bar_file_paths


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in (
        "b.csv", "a.CSV", "a.instruments.csv", "notes.md", ".hidden.csv", "c.txt.gz", "2020/z.parquet",
        "2020/deep/y.pq", ".cache/x.csv", "empty/readme.md", "[odd].csv",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*given):
    return [path.as_posix() for path in bar_file_paths(given)]


def test_a_folder_stands_for_its_bar_files_and_those_of_its_subfolders(folder):
    every = ["[odd].csv", "a.CSV", "b.csv", "c.txt.gz", "2020/z.parquet", "2020/deep/y.pq"]
    assert names(".") == every
    assert bar_file_paths([folder]) == [folder / name for name in every]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("?.csv", ["b.csv"]),
        ("*.instruments.csv", None),
        ("**/*.p*q*", ["2020/deep/y.pq", "2020/z.parquet"]),
        ("20*", ["2020/z.parquet", "2020/deep/y.pq"]),
        ("[b].csv", ["b.csv"]),
        ("[odd].csv", ["[odd].csv"]),
        ("*.json", None),
    ],
)
def test_a_pattern_stands_for_the_files_and_folders_that_match(folder, pattern, expected):
    if expected is not None:
        assert names(pattern) == expected
        assert bar_file_paths([folder / pattern]) == [folder / name for name in expected]
        return
    with pytest.raises(BarFileError) as caught:
        bar_file_paths([pattern])
    assert str(caught.value) == f"{pattern}: no file matches the pattern"


def test_files_are_taken_once_and_in_the_order_of_the_names(folder):
    assert names("c.txt.gz", "*.csv", str(folder / "b.csv"), "b.csv") == ["c.txt.gz", "[odd].csv", "b.csv"]


def test_a_name_without_a_file_is_left_to_the_reader(folder):
    assert bar_file_paths(["absent.csv", "notes.md"]) == [Path("absent.csv"), Path("notes.md")]


def test_a_folder_without_bar_files_and_an_empty_name_are_refused(folder):
    with pytest.raises(BarFileError) as caught:
        bar_file_paths(["b.csv", "empty"])
    assert (
        str(caught.value)
        == "empty: the folder holds no file whose name ends in .csv, .tsv, .txt, .parquet, .pq"
    )
    with pytest.raises(BarFileError, match="a name is empty"):
        bar_file_paths([""])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_named(folder):
    (folder / "2020").chmod(0)
    with pytest.raises(BarFileError, match=r"2020: cannot be read: Permission denied"):
        bar_file_paths([folder])
    (folder / "2020").chmod(0o700)
