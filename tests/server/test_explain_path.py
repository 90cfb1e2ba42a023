"""The way of an Explain call through the server: each step once, none within itself, in few files."""

import re

from call_recorder import installed_recorder
from glasstape import AsyncClient
from glasstape_server.app import App
from glasstape_server.settings import Settings
from made_up import daily

STEPS = ("Inputs.resolve", "plan", "Engine.run", "judge", "explain_response_to")


async def test_an_explain_call_passes_each_step_once_and_few_files(tmp_path):
    with installed_recorder() as recorder:
        app = App(Settings(data_dir=tmp_path, port=0, wire="grpcio", torch_threads=1))
        await app.start()
        try:
            async with AsyncClient(f"127.0.0.1:{app.server.port}") as client:
                await client.publish_bars(daily("AAA", 90), mode="backfill")
                await client.explain(symbols=["AAA"], method="integrated_gradients")
                with recorder.recording():
                    explained = await client.explain(symbols=["AAA"], method="integrated_gradients")
        finally:
            await app.stop()
    assert explained[0].heatmap is not None
    calls = {name: count for (_, name), count in recorder.counts.items() if name in STEPS}
    assert calls == dict.fromkeys(STEPS, 1)
    ours = re.compile(r"/(rpc|serving)/")
    assert not [function for function in recorder.reentered if ours.search(function[0])]
    files = list(dict.fromkeys(file for file in recorder.files if ours.search(file)))
    files = files[files.index("server/glasstape_server/rpc/inference_servicer.py") :]
    assert len(files) <= 12, files
