"""Pure decisions: what is there, what is left to do. Nothing is asked, read or sent here."""
