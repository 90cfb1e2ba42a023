"""Learning: data set, fit, calibration, artefact."""
