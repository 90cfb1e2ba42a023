"""Messages <-> domain values, as plain functions."""
