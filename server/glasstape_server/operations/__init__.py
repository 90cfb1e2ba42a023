"""Metrics, logs and the health monitor."""
