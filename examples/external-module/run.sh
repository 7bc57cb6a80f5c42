#!/usr/bin/env bash
# An external module: no code, only what a service speaks; deployments read what it needs.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
person

run gati module publish "$here/payments" --access public

say "A deployment learns which variables and secrets it needs, and what it may reach."
run curl --fail --silent "$GATI_REGISTRY/v1/artifacts/users~$name/payments/1.4.0/deploy-descriptor"
echo

say "It is deprecated with a reason and what to use instead; every client is told."
run gati module deprecate "@$name/payments@1.4.0" --reason "The service ends." --sunset 2027-06-30 --replacement "@$name/billing"
run curl --fail --silent --head "$GATI_REGISTRY/v2/users/$name/payments/manifests/1.4.0" | grep -i '^warning'
