"""Track record, reliability diagram and model card."""
