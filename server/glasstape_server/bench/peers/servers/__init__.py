"""What peers run, each with a Python of its own."""
