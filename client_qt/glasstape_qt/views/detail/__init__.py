"""The detail of one symbol: heat map, comparison of methods, and the explanation in words."""
