"""`--verify`: what is on disk or in XNAT beside what was asked for; nothing is moved, nothing changed."""
