"""Subcommands of `glasstape` that need the server. Nothing heavy is imported before one runs."""
