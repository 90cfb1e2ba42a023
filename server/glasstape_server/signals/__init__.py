"""The feed: decides, journals and delivers signals, and resolves their outcomes."""
