from pathlib import Path

import numpy as np
import pytest
from glasstape_server.bench import page
from glasstape_server.models.networks.conv1d import Conv1d, Conv1dConfig
from google.protobuf.wrappers_pb2 import BytesValue

from benchmarks.peers import compare
from benchmarks.peers.__main__ import MARK, main
from benchmarks.peers.environments import python_of
from benchmarks.peers.kinds import PEERS
from benchmarks.peers.running import known_windows
from benchmarks.peers.servers.network import logits_of, logits_of_each, network


def test_peers_serve_the_layers_and_sizes_of_conv1d():
    ours = Conv1d(Conv1dConfig()).state_dict()
    theirs = network().state_dict()
    assert sorted(t.numel() for t in theirs.values()) == sorted(t.numel() for t in ours.values())


def test_calls_that_are_joined_are_answered_each_with_its_own():
    windows = known_windows(6)
    answers = logits_of_each(
        network(), [windows[:1].tobytes(), windows[1:4].tobytes(), windows[4:].tobytes()]
    )
    found = [np.frombuffer(answer, "<f4").reshape(-1, 3) for answer in answers]
    assert [len(part) for part in found] == [1, 3, 2]
    assert np.allclose(np.concatenate(found), logits_of(network(), windows), atol=1e-6)


def test_torchserves_answer_is_read_whatever_its_length():
    for count in (1, 100, 5000):  # one, two and three bytes tell the length
        logits = np.arange(3 * count, dtype="<f4")
        data = BytesValue(value=logits.tobytes()).SerializeToString()  # one bytes field, number 1, as there
        assert np.array_equal(PEERS["torchserve"].predict.answer(data), logits)


def test_an_unknown_peer_is_refused_by_its_name(tmp_path):
    with pytest.raises(ValueError, match=r"peers: seldon: there are triton, torchserve"):
        compare.run(["seldon"], tmp_path, 1, 1)


def test_an_environment_that_cannot_be_made_is_told_and_not_taken_for_made(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ValueError, match=r"absent: its packages cannot be installed: .*no-such-package"):
        python_of("absent", ["no-such-package==1"], tmp_path)
    assert not (tmp_path / "absent" / "glasstape-requirements.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--only", "seldon"], "peers: seldon: there are triton"),
        (["--json", "/no/such/x.json"], "--json: there is no folder /no/such"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, text, capsys):
    assert main(arguments) == 1
    assert text in capsys.readouterr().err


def test_the_performance_page_has_one_table_that_this_command_makes(tmp_path):
    copy = tmp_path / "performance.md"
    copy.write_text((Path(__file__).parents[3] / "docs/performance.md").read_text())
    commands = []
    page.update_tables(copy, ["peers"], lambda command: commands.append(command) or "| table |", mark=MARK)
    assert [command[0] for command in commands] == ["peers"]
    assert "| table |" in copy.read_text()
