"""Explanation methods, one per file."""
