"""Delivery of journaled events to subscribers."""
