"""What the archives offer, with the same method names where the question is the same."""
