"""Lists of series: what the command line asks for, and what others read."""
