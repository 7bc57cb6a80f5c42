#!/usr/bin/env bash
# An agent: a recipe, a skill graph and a WebAssembly program, run within what it declares.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
person

cp -r "$here/scout" scout
run python -c 'import pathlib, wasmtime; pathlib.Path("scout/scout.wasm").write_bytes(wasmtime.wat2wasm(pathlib.Path("scout/scout.wat").read_text()))'

run gati agent publish scout --access public
run gati agent install "@$name/scout" --dir app --yes
echo "a text" >text
run gati agent run "@$name/scout" --input text >said
run cmp text said

say "A skill that needs itself is refused, with the circle."
sed -i 's/"count": \["read"\]/"count": ["read"], "read": ["count"]/' scout/gati-module.json
refused gati agent publish scout --version 1.1.0
