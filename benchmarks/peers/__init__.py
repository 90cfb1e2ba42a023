"""Other model servers with the same network under the same load: `python -m benchmarks.peers`."""
