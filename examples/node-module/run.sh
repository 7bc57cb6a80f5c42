#!/usr/bin/env bash
# A Node module: published, found, installed in another project, and pulled by oras as the OCI artifact that it is.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
person

say "Publish the folder."
run gati module publish "$here/hello" --access public

say "Find it, and look at it."
run gati module search hello
run gati module info "@$name/hello"

say "Install it in a project."
run gati module install "@$name/hello@^1" --dir app
run node_prints "Hello, Ada!" "require('./app/gati_modules/users/$name/hello/dist/index.js').greet({ name: 'Ada' }).greeting"
run cat app/gati.modules.json

say "The version stays what it is: other bytes under the same number are refused."
cp -r "$here/hello" changed
echo "// changed" >>changed/dist/index.js
refused gati module publish changed

say "To oras it is an artifact like any other."
run oras pull "${plain[@]}" --output pulled "$host/users/$name/hello:1.0.0"
run ls pulled
