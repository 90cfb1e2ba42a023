"""The recorder of the README's picture."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

TOOL = Path(__file__).parents[2] / "docs/tools/desktop_film.py"


def record(file, *arguments, folder):
    environment = {**os.environ, "GLASSTAPE_CONFIG": str(folder / "config"), "LANG": "C.UTF-8"}
    command = [sys.executable, str(TOOL), str(file), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_film_is_made_without_a_screen(tmp_path):
    target = tmp_path / "short.gif"
    done = record(target, "--seconds", "1.5", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(target) in done.stdout
    with Image.open(target) as picture:
        assert picture.n_frames >= 3


@pytest.mark.parametrize(
    ("file", "text"),
    [("x.mp4", "must end in .webp or .gif, is x.mp4"), ("no/x.webp", "there is no folder")],
)
def test_a_film_needs_a_folder_and_a_format(tmp_path, file, text):
    done = record(tmp_path / file, folder=tmp_path)
    assert done.returncode == 1
    assert text in done.stderr
