"""Programs of the peers; each runs in an environment of its own."""
