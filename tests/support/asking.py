"""Explain requests and their responses."""

import numpy as np
from glasstape.v1 import inference_pb2 as pb


def windows(count=1, seed=0):
    values = np.random.default_rng(seed).normal(size=(count, 6, 8)).astype("<f4")
    return pb.Windows(count=count, data=values.tobytes())


def array(values, shape=(6, 8)):
    return np.array(values, np.float32).reshape(shape)


def maps(response):
    """Explanations of a response; None stands for an item that failed."""
    return [r.explanation if r.WhichOneof("result") == "explanation" else None for r in response.results]


def explain(stub, source=None, **asked):
    source = source or pb.PredictionInput(windows=windows(3))
    return stub.Explain(pb.ExplainRequest(input=source, **asked), timeout=30)


def symbols(*names):
    return pb.PredictionInput(symbols=pb.Symbols(symbols=names))
