"""`python -m tcia_xnat.container_command`: the XNAT command, as `run.sh` starts it."""

from tcia_xnat.container_command.ingest import main

main()
