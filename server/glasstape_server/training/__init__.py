"""Learning: data set, fit, calibration, artifact."""
