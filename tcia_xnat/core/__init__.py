"""What everybody uses and nobody owns."""
