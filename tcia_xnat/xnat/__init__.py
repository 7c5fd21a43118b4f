"""Everything said to XNAT, over one login through xnatpy."""
