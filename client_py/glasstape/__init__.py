"""Glasstape's Python SDK: calibrated market signals with their explanations.

    from glasstape import Client, EventKind

    with Client("localhost:50551") as client:
        for event in client.signals(kinds=["buy"]):
            if event.kind is EventKind.BUY:
                print(event.symbol, event.signal.probabilities.up)

Every public name is here, except those of `glasstape.prices`, `glasstape.session`, `glasstape.testing` and
`glasstape.words`. Values are frozen dataclasses and numpy arrays.
"""

# Names are imported when they are first used: the command line and the generated stubs are in this package too, and
# neither needs what the clients need. `__init__.pyi` is the one list of names, for this line and for type checkers.
try:
    import lazy_loader
except ModuleNotFoundError:  # `glasstape doctor` starts all the same, and names what is missing

    def __getattr__(name: str) -> object:
        raise ModuleNotFoundError(
            "glasstape requires lazy-loader: pip install lazy-loader", name="lazy_loader"
        )
else:
    __getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
