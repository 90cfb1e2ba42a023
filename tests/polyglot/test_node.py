"""The TypeScript example against the real server, killed under its feet."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from glasstape import Client
from markets import open_market

NODE = Path(__file__).resolve().parents[2] / "examples" / "node"


@pytest.fixture(scope="module")
def built():
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    if not (NODE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-progress"], cwd=NODE, check=True, capture_output=True)
    subprocess.run(["npm", "run", "build"], cwd=NODE, check=True, capture_output=True)
    return ["node", str(NODE / "dist" / "main.js")]


def test_node_predicts_explains_and_follows_through_a_kill(built, tmp_path, spawn):
    server = spawn(tmp_path)
    with Client(server.address) as client:
        market = open_market(server, client)
        market.close_bar()
        head = max(event.sequence for event in client.history())
        wanted = head + 30
        node = subprocess.Popen([*built, server.address, str(wanted)], stdout=subprocess.PIPE, text=True)
        said = []

        def read_until(sequence):
            while max((line.get("sequence", 0) for line in said), default=0) < sequence:
                line = node.stdout.readline()
                assert line, "the client ended early"
                said.append(json.loads(line))

        read_until(head)
        server.kill()
        server.start()
        while max(event.sequence for event in client.history()) < wanted:
            market.close_bar()
        read_until(wanted)
        assert node.wait(20) == 0
        node.stdout.close()
        events = list(client.history(end_sequence=wanted))
        expected = client.explain(symbols=["AAA"], method="integrated_gradients")
    server.stop()
    assert [line["sequence"] for line in said if "sequence" in line] == list(range(1, wanted + 1))
    assert [line["symbol"] for line in said if "sequence" in line] == [event.symbol for event in events]
    opened = [line["opened"] for line in said if "opened" in line]
    assert opened[0] == "OPEN_RESULT_STARTED"
    assert set(opened[1:]) == {"OPEN_RESULT_RESUMED"}
    (predicted,) = (line["predict"] for line in said if "predict" in line)
    assert predicted["down"] + predicted["flat"] + predicted["up"] == pytest.approx(1)
    (cells,) = (line["explain"] for line in said if "explain" in line)
    assert (len(cells), len(cells[0])) == expected[0].heatmap.values.shape
