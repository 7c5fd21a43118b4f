"""Downloads to disk: where series go, how they get there whole, and how it is known that they are right."""
