#!/usr/bin/env bash
# A WebAssembly module: built from its text, published, installed, and run from where it was installed.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
person

say "Build it."
cp -r "$here/adder" adder
run python -c 'import pathlib, wasmtime; pathlib.Path("adder/adder.wasm").write_bytes(wasmtime.wat2wasm(pathlib.Path("adder/adder.wat").read_text()))'

say "Publish it, install it elsewhere."
run gati module publish adder --access public
run gati module install "@$name/adder" --dir app
run cmp adder/adder.wasm "app/gati_modules/users/$name/adder/adder.wasm"
run python - "app/gati_modules/users/$name/adder/adder.wasm" <<'PYTHON'
import sys

import wasmtime

store = wasmtime.Store()
instance = wasmtime.Instance(store, wasmtime.Module.from_file(store.engine, sys.argv[1]), [])
assert instance.exports(store)["add"](store, 40, 2) == 42
PYTHON

say "A module that imports what it does not declare is refused before anything is sent."
run python -c 'import pathlib, wasmtime; pathlib.Path("adder/adder.wasm").write_bytes(wasmtime.wat2wasm("(module (import \"wasi_snapshot_preview1\" \"sock_send\" (func (param i32 i32 i32 i32 i32) (result i32))))"))'
refused gati module publish adder --version 0.2.0
