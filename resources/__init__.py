"""Manifests that are ready to use, and what makes them."""
