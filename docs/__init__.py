"""The pages of the documentation, and what makes those of the reference from the code."""
