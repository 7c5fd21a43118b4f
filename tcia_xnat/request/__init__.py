"""What the user asked for, as series."""
