#!/bin/sh
# Asks what is to go where, and brings a manifest into XNAT with the container. Needs Docker or Podman, nothing else.
#
# Defaults come from XNAT_HOST, XNAT_PROJECT, XNAT_USER, XNAT_PASS and OUTPUT_DIR. Variables TCIA_XNAT_… (the options of
# download.py) and those of proxies and certificate authorities go into the container. IMAGE names another image, CONTAINER_OPTIONS has more words
# for `docker run`.
set -eu

image=${IMAGE:-xnatworks/xnat-tcia-download:2.0.0}
built_in=/app/resources/TCIA

fail() {
    echo "error: $1" >&2
    exit 2
}

# ask QUESTION DEFAULT CHECK: sets $answer; asks again while CHECK, a function, sets $problem.
ask() {
    default=$2
    while :; do
        printf '%s%s: ' "$1" "${default:+ [$default]}" >&2
        IFS= read -r answer || fail "no answer"
        answer=${answer:-$default}
        problem=
        if [ -n "$answer" ]; then "$3"; else problem="nothing was given"; fi
        [ -n "$problem" ] || return 0
        echo "$problem" >&2
        [ "$answer" != "$default" ] || default= # a variable that is wrong is not offered again
    done
}

any_text() { :; }

is_manifest() {
    is_number_to "$manifests" || [ -f "$answer" ] || problem="there is no file $answer; type a number from the list, or a path"
}

is_address() {
    case $answer in
        *[[:space:]]* | *://*@*) problem="$answer: write the address alone, without blanks, user and password" ;;
        http://?* | https://?*) ;;
        *) problem="$answer is not an address of XNAT: write it as https://xnat.example.org" ;;
    esac
}

is_project() {
    case $answer in
        *[!A-Za-z0-9_-]*) problem="XNAT accepts no project ID $answer: use letters, digits, _ and - only" ;;
    esac
}

is_folder() {
    if ! mkdir -p -- "$answer" 2>/dev/null || [ ! -w "$answer" ] || [ ! -x "$answer" ]; then
        problem="$answer is not a folder that can be written to"
    fi
}

# Sets $answer; what is typed is not shown.
ask_password() {
    if [ -t 0 ]; then
        terminal=$(stty -g)
        trap 'stty "$terminal"' EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        stty -echo # before the question: an answer may be quick
    fi
    while :; do
        printf 'Password%s: ' "${XNAT_PASS:+ [that of XNAT_PASS]}" >&2
        IFS= read -r answer || fail "no answer"
        [ ! -t 0 ] || echo >&2
        answer=${answer:-${XNAT_PASS:-}}
        [ -z "$answer" ] || break
        echo "nothing was given" >&2
    done
    if [ -t 0 ]; then
        stty "$terminal"
        trap - EXIT INT TERM
    fi
}

# is_number_to COUNT: whether $answer is a number from 1 to COUNT.
is_number_to() {
    case $answer in
        '' | *[!0-9]* | ??????*) return 1 ;;
    esac
    [ "$answer" -ge 1 ] && [ "$answer" -le "$1" ]
}

engine=
for candidate in docker podman; do
    if [ -z "$engine" ] && "$candidate" info >/dev/null 2>&1; then
        engine=$candidate
    fi
done
[ -n "$engine" ] || fail "neither Docker nor Podman works here"

# shellcheck disable=SC2086  # the options are words
listed=$("$engine" run --rm --network none ${CONTAINER_OPTIONS:-} --entrypoint /bin/ls "$image" "$built_in") ||
    fail "the image $image cannot be run"

# The manifests: files of this folder, then those of the image.
set --
for path in ./*.tcia ./*.csv; do
    [ ! -f "$path" ] || set -- "$@" "$path"
done
for name in $listed; do
    case $name in
        *.tcia | *.csv) set -- "$@" "$built_in/$name" ;;
    esac
done
number=0
for path in "$@"; do
    number=$((number + 1))
    case $path in
        "$built_in"/*) printf '%4d  %s (comes with the image)\n' "$number" "${path##*/}" >&2 ;;
        *) printf '%4d  %s\n' "$number" "${path##*/}" >&2 ;;
    esac
done
manifests=$#
ask "Manifest, its number or a path" "" is_manifest
if is_number_to "$manifests"; then
    shift "$((answer - 1))"
    manifest=$1
else
    manifest=$answer
fi

ask "XNAT" "${XNAT_HOST:-}" is_address
XNAT_HOST=$answer
ask "Project" "${XNAT_PROJECT:-}" is_project
project=$answer
ask "User" "${XNAT_USER:-}" any_text
XNAT_USER=$answer
ask_password
XNAT_PASS=$answer
export XNAT_HOST XNAT_USER XNAT_PASS # the container gets them by name: no command line has them
ask "Output folder" "${OUTPUT_DIR:-output}" is_folder
output=$(cd -- "$answer" && pwd -P)

set -- /output "$project"
case $manifest in
    "$built_in"/*) set -- "$manifest" "$@" ;;
    *) set -- "/input/${manifest##*/}" "$@" ;;
esac
set -- "$image" "$@"
case $manifest in
    "$built_in"/*) ;;
    *)
        folder=$(cd -- "$(dirname -- "$manifest")" && pwd -P)
        set -- --mount "type=bind,source=$folder,target=/input,readonly" "$@"
        ;;
esac
for name in $(env | sed -n 's/^\(TCIA_XNAT_[A-Z_]*\)=.*/\1/p') \
    HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    case $name in
        TCIA_XNAT_*_DIR | TCIA_XNAT_IDC_INDEX) ;; # paths of this machine
        *) set -- --env "$name" "$@" ;;
    esac
done
authorities=${REQUESTS_CA_BUNDLE:-${SSL_CERT_FILE:-}}
if [ -f "$authorities" ]; then
    set -- --mount "type=bind,source=$authorities,target=/authorities.pem,readonly" "$@"
    set -- --env REQUESTS_CA_BUNDLE=/authorities.pem --env SSL_CERT_FILE=/authorities.pem "$@"
fi
case $XNAT_HOST in
    http*://localhost* | http*://127.*) set -- --network host "$@" ;; # it is this machine that is meant
esac
# What is written shall be the caller's; where an engine without root maps users itself, it is already.
if [ "$engine" = podman ] && [ "$(id -u)" -ne 0 ]; then
    set -- --userns keep-id "$@"
elif ! "$engine" info --format '{{.SecurityOptions}}' 2>/dev/null | grep -q rootless; then
    set -- --user "$(id -u):$(id -g)" "$@"
fi
# shellcheck disable=SC2086  # the options are words
exec "$engine" run --rm ${CONTAINER_OPTIONS:-} \
    --env XNAT_HOST --env XNAT_USER --env XNAT_PASS \
    --mount "type=bind,source=$output,target=/output" \
    "$@"
