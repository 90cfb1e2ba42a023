"""The watch table and its filter, groups and legend."""
