"""PET/CT pairs."""
