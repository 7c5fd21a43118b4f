#!/bin/sh
# Writes the label into the Dockerfile, builds the image, and runs it once: TCIA, IDC and XNAT are small servers here.
#
#   build_and_run.sh [OPTION…]          options go to `docker build`; CONTAINER_OPTIONS has more words for `docker run`
set -eu

cd -- "$(dirname -- "$(readlink -f -- "$0")")"
image=xnatworks/xnat-tcia-download:2.0.0
manifest=resources/TCIA/CMB-AML_one-patient.tcia

engine=
for candidate in docker podman; do
    if [ -z "$engine" ] && "$candidate" info >/dev/null 2>&1; then
        engine=$candidate
    fi
done
if [ -z "$engine" ]; then
    echo "error: neither Docker nor Podman works here" >&2
    exit 2
fi

make .venv/installed
.venv/bin/python command2Label.py command.json --write Dockerfile
"$engine" build --tag "$image" "$@" .

folder=$(mktemp -d)
.venv/bin/python -m sandbox --collection cmb_aml >"$folder/variables" &
sandbox=$!
trap 'kill "$sandbox" 2>/dev/null || :; wait "$sandbox" || :; rm -rf -- "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
until grep -q XNAT_PASS "$folder/variables"; do
    kill -0 "$sandbox" # its end would be the end of this
    sleep 0.2
done
# shellcheck disable=SC1091  # made above
. "$folder/variables"

# shellcheck disable=SC2086  # the options are words
"$engine" run --rm --network host ${CONTAINER_OPTIONS:-} \
    --env XNAT_HOST --env XNAT_USER --env XNAT_PASS --env TCIA_XNAT_NBIA_URL --env TCIA_XNAT_IDC_URL \
    "$image" "$manifest" /output CMB-AML
