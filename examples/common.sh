# What the examples share: where the registry is, a home of their own, and commands that are shown.
# shellcheck shell=bash
set -euo pipefail

export GATI_REGISTRY=${GATI_REGISTRY:-http://127.0.0.1:8080}
host=${GATI_REGISTRY#*://}
plain=()
[[ $GATI_REGISTRY == http://* ]] && plain=(--plain-http)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DOCKER_CONFIG=$work/docker XDG_CONFIG_HOME=$work/config XDG_CACHE_HOME=$work/cache PYTHON_KEYRING_BACKEND=keyring.backends.fail.Keyring
cd "$work"

command -v oras >/dev/null || {
    echo "This example needs oras: https://oras.land/docs/installation" >&2
    exit 1
}

if ! command -v gati >/dev/null; then
    gati() { PYTHONPATH=$root "$root/.venv/bin/python" -m registry.cli "$@"; }
fi

# Say what comes next.
say() { echo "# $*" >&2; }

# Show a command, then run it.
run() {
    echo "\$ $*" >&2
    "$@"
}

# Run a command that must not succeed.
refused() {
    if run "$@"; then
        echo "That was to be refused." >&2
        exit 1
    fi
}

# Letters and digits that nobody has used before.
new() { od -An -N5 -tx1 /dev/urandom | tr -d ' \n'; }

# Make an account with a new name and log in as it: `name` is that.
person() {
    name=dev-$(new)
    local password
    password=$(new)$(new)$(new)
    gati account create --username "$name" --email "$name@example.org" --password-stdin <<<"$password" >/dev/null
    gati login "$GATI_REGISTRY" --username "$name" --password-stdin <<<"$password"
}

# The Python that `gati` runs with.
python() { "$root/.venv/bin/python" "$@"; }

# Whether JavaScript prints this; machines without node leave it out.
node_prints() {
    command -v node >/dev/null || return 0
    [[ $(node --print "$2") == "$1" ]]
}
