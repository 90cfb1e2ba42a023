"""The parts of `glasstape.testing.FakeServer`."""
