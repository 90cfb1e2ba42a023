"""From bars to the model's input: feature spec, windows and labels, in numpy alone."""
