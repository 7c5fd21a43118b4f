"""Where series go."""
