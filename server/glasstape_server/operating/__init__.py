"""Operating a server: logs, metrics, traces and health."""
