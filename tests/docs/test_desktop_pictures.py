"""The pictures of the user guide equal what the desktop paints now.

After an intended change, `make docs` paints them again; look at them before committing.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).resolve().parents[2] / "docs"
GOLDEN = DOCS / "pictures/desktop"
TOLERANCE = 24
"""Of 255, in each channel: anti-aliasing may differ that much."""
DIFFERING = 0.002
"""Share of pixels that may differ by more."""
PICTURES = [f"window-{theme}-{language}" for theme in ("light", "dark") for language in ("en", "ko")]


@pytest.fixture(scope="session", params=["1", "2"])
def painted(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"pictures-{request.param}x")
    environment = {
        **os.environ,
        "QT_QPA_PLATFORM": "offscreen",
        "QT_SCALE_FACTOR": request.param,
        "LANG": "C.UTF-8",
    }
    command = [sys.executable, str(DOCS / "tools/desktop_pictures.py"), str(folder)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=100)
    return folder, request.param


def test_every_look_is_as_it_is_in_the_guide(painted):
    folder, scale = painted
    names = [*PICTURES, *(["compare-light-en", "trust-light-en"] if scale == "1" else [])]
    for name in names:
        file = f"{name}-{scale}x.png"
        now = np.asarray(Image.open(folder / file).convert("RGB"), dtype=np.int16)
        golden = np.asarray(Image.open(GOLDEN / file).convert("RGB"), dtype=np.int16)
        assert now.shape == golden.shape, file
        differing = (np.abs(now - golden) > TOLERANCE).any(axis=2).mean()
        assert differing <= DIFFERING, f"{file}: {differing:.2%} of the pixels differ; see {folder / file}"


def test_a_wrong_picture_would_be_found():
    light = np.asarray(Image.open(GOLDEN / "window-light-en-1x.png").convert("RGB"), dtype=np.int16)
    dark = np.asarray(Image.open(GOLDEN / "window-dark-en-1x.png").convert("RGB"), dtype=np.int16)
    assert (np.abs(light - dark) > TOLERANCE).any(axis=2).mean() > 0.5


def test_the_film_moves():
    film = Image.open(GOLDEN / "film.webp")
    assert film.n_frames >= 30
    first = np.asarray(film.convert("L"), dtype=np.int16)
    film.seek(film.n_frames - 1)
    assert (np.abs(np.asarray(film.convert("L"), dtype=np.int16) - first) > TOLERANCE).mean() > 0.05
