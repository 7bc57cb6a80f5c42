#!/usr/bin/env bash
# A robot for CI whose key is good in one namespace alone, until it is rotated and revoked.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

name=alice-$(new)
password=$(new)$(new)$(new)
team=acme-$(new)
image=$host/orgs/$team/app
build=$work/build # where CI keeps its logins: it never sees those of people

say "A person and two namespaces."
run gati account create --username "$name" --email "$name@example.org" --password-stdin <<<"$password"
run gati login "$GATI_REGISTRY" --username "$name" --password-stdin <<<"$password"
run gati namespace create "$team"
run gati namespace create "$team-secrets"

say "A robot of the first, which may push there, and a key for it, which is good there alone and for 90 days."
run gati namespace robots "orgs/$team" create ci
run gati namespace grants "orgs/$team" set write --account "$team+ci"
run gati namespace robots "orgs/$team" key create ci runner --namespace "orgs/$team" --expires 90d >robot.key

say "CI logs in with it and pushes."
echo "build 1" >app.txt
DOCKER_CONFIG=$build run oras login "${plain[@]}" --username "$team+ci" --password-stdin "$host" <robot.key
DOCKER_CONFIG=$build run oras push "${plain[@]}" "$image:1" app.txt
DOCKER_CONFIG=$build run oras pull "${plain[@]}" --output pulled "$image:1"
run cmp app.txt pulled/app.txt

say "Nothing else is there for it, and it deletes nothing."
DOCKER_CONFIG=$build refused oras push "${plain[@]}" "$host/orgs/$team-secrets/app:1" app.txt
DOCKER_CONFIG=$build refused oras manifest delete "${plain[@]}" --force "$image:1"

say "A new key takes the place of the old one, which stays good for an hour."
id() { gati namespace robots "orgs/$team" key list ci | awk 'END { print $1 }'; } # of the last one made
run gati namespace robots "orgs/$team" key rotate ci "$(id)" --overlap 1h >robot.key.new
DOCKER_CONFIG=$build run oras pull "${plain[@]}" --output pulled-by-old "$image:1"
DOCKER_CONFIG=$build run oras login "${plain[@]}" --username "$team+ci" --password-stdin "$host" <robot.key.new
DOCKER_CONFIG=$build run oras pull "${plain[@]}" --output pulled-by-new "$image:1"

say "A revoked key is good for nothing, from the next request on."
run gati namespace robots "orgs/$team" key revoke ci "$(id)"
DOCKER_CONFIG=$build refused oras pull "${plain[@]}" --output too-late "$image:1"

run gati namespace audit "orgs/$team"
run gati logout
