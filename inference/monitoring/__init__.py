"""How models do once they are used: skill, calibration, drift, experiments. Pure statistics."""
