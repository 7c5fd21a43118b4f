"""Where a series lies between its source and its destination: spool, disk budget, zip stream."""
