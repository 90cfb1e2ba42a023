"""Sessions: recorded feeds in files. The public names are in `glasstape.session`."""
