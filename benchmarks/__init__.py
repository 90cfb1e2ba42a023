"""Benchmarks that need other projects' software. They run from the repository and are not shipped."""
