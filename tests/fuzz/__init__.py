"""Mutated bytes of others: whatever they hold, only our errors come out."""
