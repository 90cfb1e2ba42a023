"""Price chart, confidence history and their axes."""
