"""Network architectures, one per file with its config."""
