#!/usr/bin/env bash
# A transformer: how data of one version of an artifact becomes that of another, and back.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
person

say "Two versions of a module; the second names a field otherwise."
cp -r "$here/orders" orders
run gati module publish orders --access public
sed -i 's/"total": "number"/"amount": "number", "currency": "string"/; s/"version": "1.0.0"/"version": "2.0.0"/' orders/gati-module.json
run gati module publish orders --access public

run gati module publish "$here/orders-1-to-2" --access public
run gati module info "@$name/orders-1-to-2"
run oras pull "${plain[@]}" --output pulled "$host/users/$name/orders-1-to-2:1.0.0"
