"""`python -m tcia_xnat.xnat_command`: the XNAT command, as `run.sh` starts it."""

from tcia_xnat.xnat_command.ingest import main

main()
