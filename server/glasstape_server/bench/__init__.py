"""What `glasstape bench` measures. Figures are for ratios within one run: machines are noisy."""
