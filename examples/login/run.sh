#!/usr/bin/env bash
# An account, a login by password that docker and oras share, a push, a pull, a key, and its end.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

name=alice-$(new)
password=$(new)$(new)$(new)
image=$host/users/$name/hello

say "An account. The first one of a registry administers it and ends open access."
run gati account create --username "$name" --email "$name@example.org" --password-stdin <<<"$password"

say "A login. The password is not kept; docker, podman, oras, crane and cosign get a key of their own."
run gati login "$GATI_REGISTRY" --username "$name" --password-stdin <<<"$password"
run gati whoami

say "What is pushed to a namespace of one's own is private."
echo "Hello from $name." >hello.txt
run oras push "${plain[@]}" "$image:v1" hello.txt
run oras pull "${plain[@]}" --output pulled "$image:v1"
run cmp hello.txt pulled/hello.txt
DOCKER_CONFIG=$work/nobody refused oras manifest fetch "${plain[@]}" "$image:v1"

say "A key that may only read, for another machine: there it is the password."
run gati key create laptop --scope read-only --expires 30d >laptop.key
export DOCKER_CONFIG=$work/laptop
run oras login "${plain[@]}" --username "$name" --password-stdin "$host" <laptop.key
run oras pull "${plain[@]}" --output laptop-pulled "$image:v1"
refused oras push "${plain[@]}" "$image:v2" hello.txt

if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    say "The same with docker."
    tar -cf hello.tar hello.txt
    export DOCKER_CONFIG=$work/docker
    run docker import hello.tar "$image:docker"
    run docker push "$image:docker"
    export DOCKER_CONFIG=$work/laptop
    run docker login --username "$name" --password-stdin "$host" <laptop.key
    run docker pull "$image:docker"
    run docker rmi "$image:docker"
fi

say "A revoked key is good for nothing, from the next request on."
key=$(gati key list | awk '$2 == "laptop" { print $1 }')
run gati key revoke "$key"
refused oras pull "${plain[@]}" --output laptop-again "$image:v1"

run gati logout
