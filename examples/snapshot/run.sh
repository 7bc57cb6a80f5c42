#!/usr/bin/env bash
# A snapshot: everything that a project uses, pinned by digest, restored on another machine, shared for an hour.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
person

run gati module publish "$here/../node-module/hello" --access public
run gati module install "@$name/hello" --dir app
run gati snapshot create workbench --version 1.0.0 --dir app

run gati snapshot show "@$name/workbench"
run gati snapshot restore "@$name/workbench" --dir restored
run cmp app/gati.lock restored/gati.lock
run diff -r app/gati_modules/users restored/gati_modules/users

say "A link shows it to whoever has it, until it ends or is revoked."
run gati snapshot share "@$name/workbench" --expires 1h
