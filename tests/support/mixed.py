"""Mixed load for a soak: callers of every kind, each in a thread that goes on until it is told to stop."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from glasstape import Client, GlasstapeError
from glasstape.v1 import inference_pb2 as pb
from glasstape_server.transport.grpcio_server import EXPLAIN, PREDICT

METHODS = ("gradient", "gradient_x_input", "integrated_gradients", "smoothgrad")


class Load:
    """What a small desk of traders, programs and careless callers does to a server."""

    def __init__(self, address, batches):
        self.address = address
        self.batches = iter(batches)
        self.done = dict.fromkeys(("publish", "predict", "explain", "give_up", "come_and_go", "refused"), 0)
        """How often each of them did it."""
        self.errors = []
        self.stopping = threading.Event()
        self._pool = ThreadPoolExecutor(len(self.done))
        self._running = []

    def start(self):
        for name, pause in zip(self.done, (1.0, 0.1, 0.5, 1.0, 2.0, 1.0), strict=True):
            self._running.append(self._pool.submit(self._again, name, getattr(self, f"_{name}"), pause))

    def stop(self):
        """Raises what a caller did not expect."""
        self.stopping.set()
        for running in self._running:
            running.result(60)
        self._pool.shutdown()

    def _again(self, name, act, pause):
        chance = random.Random(name)
        with Client(self.address) as client:
            while not self.stopping.wait(pause * chance.uniform(0.5, 1.5)):
                try:
                    act(client, chance)
                except GlasstapeError as error:
                    self.errors.append(error)
                else:
                    self.done[name] += 1

    def _publish(self, client, chance):
        batch = next(self.batches)
        assert client.publish_bars(batch).stored == len(batch)

    def _predict(self, client, chance):
        count = chance.randint(1, 64)
        assert len(client.predict(windows=np.full((count, 6, 8), chance.random(), dtype="f4"))) == count

    def _explain(self, client, chance):
        windows = np.full((chance.randint(1, 8), 6, 8), chance.random(), dtype="f4")
        client.explain(windows=windows, method=chance.choice(METHODS))

    def _give_up(self, client, chance):
        windows = np.zeros((64, 6, 8), dtype="<f4")
        source = pb.PredictionInput(windows=pb.Windows(count=64, data=windows.tobytes()))
        with _connection(self.address) as channel:
            calls = [
                channel.unary_unary(PREDICT).future(pb.PredictRequest(input=source).SerializeToString()),
                channel.unary_unary(EXPLAIN).future(
                    pb.ExplainRequest(input=source, method=6).SerializeToString()
                ),
            ]
            self.stopping.wait(chance.uniform(0, 0.02))
            for call in calls:
                call.cancel()

    def _come_and_go(self, client, chance):
        """Follow for a moment, leave, and go on from where that was."""
        wanted = {"start": chance.choice(["live", "earliest"])}
        for _ in range(2):
            stream = client.signals(**wanted, heartbeat_interval=0.2)
            for number, _ in enumerate(stream.messages()):
                if number >= chance.randint(1, 20):
                    break
            wanted = {"resume_token": stream.resume_token} if stream.resume_token else wanted
            stream.close()

    def _refused(self, client, chance):
        source = pb.PredictionInput(symbols=pb.Symbols(symbols=["AAA"]))
        unknown = pb.PredictRequest(model="no such model", input=source).SerializeToString()
        with _connection(self.address) as channel:
            for request, code in ((b"\xff\xff\xff", "INVALID_ARGUMENT"), (unknown, "NOT_FOUND")):
                with pytest.raises(grpc.RpcError) as refused:
                    channel.unary_unary(PREDICT)(request, timeout=10)
                assert refused.value.code().name == code, refused.value


def _connection(address):
    return grpc.insecure_channel(address, (("grpc.use_local_subchannel_pool", 1),))
