"""Listeners, TLS, authentication and health: the only package that knows a wire."""
