"""Networks, one per file; the artifact on disk; the repository that swaps versions while serving."""
