"""Sessions: the feed as it was, in a file. The public names are in `glasstape.session`."""
