"""Whatever a file holds, it is read, or refused in words.

What was ever found stands beside a target as an example.
"""

import contextlib
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import pytest
from damage import LONG, TRIES, broken
from effort import effort
from glasstape.barfile import BarFileError, BarFileOptions, close_of
from glasstape_server import settings
from glasstape_server.market import parquet
from glasstape_server.market.files import read_bars
from glasstape_server.models import artifact
from glasstape_server.models.artifact import ArtifactError
from glasstape_server.settings import BUNDLED_MODELS
from hypothesis import example, given
from hypothesis import settings as examples

DAYS = BarFileOptions(time_zone="UTC", close=close_of("16:00"))
_CSV = b"symbol,date,open,high,low,close,volume\nAAPL,2020-01-02,1,2,0.5,1.5,100\nAAPL,2020-01-03,1,2,0.5,1.5,100\n"


@pytest.fixture(scope="module")
def as_parquet():
    import io

    import polars as pl

    out = io.BytesIO()
    pl.read_csv(io.BytesIO(_CSV)).write_parquet(out)
    return out.getvalue()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_every_file_of_bars_is_read_or_refused(tmp_path, as_parquet, suffix):
    path = tmp_path / f"bars{suffix}"
    ended = []
    reader = ReaderProcess()

    @TRIES
    @given(broken(_CSV if suffix == ".csv" else as_parquet))
    @example(_CSV.replace(b"AAPL,2020-01-02", b"AAPL,\x002020-01-02"))
    @example(_CSV.replace(b"2020-01-02,1,2,0.5,1.5,100\nAAPL,2020-01-03,1,2,0.5,1.5,", b"2020-01-"))
    def attack(data):
        path.write_bytes(data)
        if not reader.survives(path):
            ended.append(data)

    with contextlib.closing(reader):
        attack()
    assert suffix == ".parquet" or not ended
    for data in ended:
        path.write_bytes(data)
        with pytest.raises(BarFileError, match="end the process that reads them"):
            read_bars(path, "1d", DAYS)


class ReaderProcess:
    """Reads files where it may be ended by them, and is started anew then."""

    def __init__(self):
        self._start()

    def _start(self):
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), _read_unchecked)

    def close(self):
        self._pool.shutdown()

    def survives(self, path):
        try:
            self._pool.submit(_read_or_refuse, path).result(60)
        except BrokenProcessPool:
            self.close()
            self._start()
            return False
        return True


def _read_unchecked():
    """Leave out the process that reads a file first: one is enough, and thousands can be tried."""
    parquet.check = lambda _: None


def _read_or_refuse(path):
    with contextlib.suppress(BarFileError, OSError):
        read_bars(path, "1d", DAYS)


@pytest.mark.parametrize("file", ["manifest.json", "weights.safetensors"])
def test_every_artifact_is_whole_or_refused(tmp_path, file):
    whole = BUNDLED_MODELS / "sample-conv1d" / "1"
    folder = tmp_path / "sample-conv1d" / "1"
    folder.mkdir(parents=True)
    for each in whole.iterdir():
        (folder / each.name).write_bytes(each.read_bytes())

    @examples(TRIES, max_examples=effort(40, LONG))
    @given(broken((whole / file).read_bytes()))
    def attack(data):
        (folder / file).write_bytes(data)
        try:
            artifact.load(folder)
        except ArtifactError:
            return
        if file == "weights.safetensors":
            assert data == (whole / file).read_bytes()

    attack()


@TRIES
@given(
    broken(
        b'port = 50551\nhost = "127.0.0.1"\njournal_keep = 5\nlog_level = "info"\n',
        b'tls_key = "k.pem"\ninterval = "1h"\nreplay_close = "16:00"\nreplay_time_zone = "Asia/Seoul"\n',
        b'quota_windows = 1e3\nmetrics_port = 0\ntraces = "http://a:1"\n[device]\ndevice = ["cpu"]\n',
    )
)
@example(b"port = " + b"[" * 5000)
def test_every_settings_file_is_read_or_refused_in_words(scratch, data):
    path = scratch / "server.toml"
    path.write_bytes(data)
    try:
        settings.load({}, path)
    except ValueError as refusal:
        said = str(refusal)
    else:
        return
    assert said.startswith(("settings: ", f"--config {path}: "))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("settings")
