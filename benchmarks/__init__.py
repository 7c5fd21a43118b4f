"""What a transfer costs, as ratios: against curl, against a plain script, and as CPU and memory of its own process."""
