"""Networks, one per file; the artefact on disk; the repository that swaps versions while serving."""
