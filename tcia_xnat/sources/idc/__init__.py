"""The Imaging Data Commons: its index, its buckets, and series from there."""
