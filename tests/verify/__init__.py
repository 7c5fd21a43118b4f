"""`--verify`: what it finds on disk and in XNAT, and that it changes nothing."""
