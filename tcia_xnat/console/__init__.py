"""What people see in a terminal: sanitized text, tables."""
