from glasstape_qt.film import film
from PIL import Image


def test_a_film_is_made_without_a_screen(qapp, tmp_path, capsys):
    target = tmp_path / "short.gif"
    assert film(target, seconds=1.5) == 0
    with Image.open(target) as picture:
        assert picture.n_frames >= 3
    assert str(target) in capsys.readouterr().out


def test_a_film_needs_a_folder_and_a_format(tmp_path, capsys):
    assert film(tmp_path / "x.mp4") == 1
    assert film(tmp_path / "no" / "x.webp") == 1
    assert "there is no folder" in capsys.readouterr().err
