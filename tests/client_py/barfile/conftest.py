import pytest
from glasstape.barfile import read_bar_file
from glasstape.barfile.arguments import make_options


@pytest.fixture
def read(tmp_path):
    """Read a text or bytes; return the file."""

    def read(data, interval="1d", name="ABC.csv", **options):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return read_bar_file(path, interval, make_options(options))

    return read
