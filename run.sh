#!/bin/sh
# Starts the program that the arguments ask for, in the image and in a checkout.
#
#   run.sh [ingest]                                      the XNAT command; reads its options from the environment
#   run.sh query …  upload …  tciaclient …               query.py, upload.py, tciaclient.py
#   run.sh HOST USER PASS OUTPUT PROJECT MANIFEST        as older installations call it
#   run.sh …                                             download.py with these arguments
set -eu

here=$(dirname -- "$(readlink -f -- "$0")")
python=$here/.venv/bin/python
[ -x "$python" ] || python=python3

# A user whom the image does not know has no home, and one on a read-only file system cannot use it.
if [ ! -w "${HOME:-/}" ] && [ ! -r "${HOME:-/}/.netrc" ] || [ "${HOME:-/}" = / ]; then
    HOME=${TMPDIR:-/tmp}
    export HOME
fi

# script NAME [ARGUMENT…]: becomes that script.
script() {
    if [ ! -f "$here/$1" ]; then
        echo "error: this version has no $1" >&2
        exit 2
    fi
    name=$1
    shift
    exec "$python" "$here/$name" "$@"
}

case $#:${1-} in
    0: | 1:ingest)
        PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH}
        export PYTHONPATH
        exec "$python" -P -m tcia_xnat.container_command # -P: no module comes from the folder this is started in
        ;;
    6:http://* | 6:https://*)
        export XNAT_HOST="$1" XNAT_USER="$2" XNAT_PASS="$3"
        script download.py "$6" "$4" "$5"
        ;;
    *:query | *:upload | *:tciaclient)
        command=$1
        shift
        script "$command.py" "$@"
        ;;
    *)
        script download.py "$@"
        ;;
esac
