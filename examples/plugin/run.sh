#!/usr/bin/env bash
# A plugin that needs a module: it cannot be published before the module is there, and brings it along.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
person

say "Without the module that it requires it is refused."
refused gati plugin publish "$here/greeter"

run gati module publish "$here/clock" --access public
run gati plugin publish "$here/greeter" --access public

say "Installing it installs the module first; a Gati that is too old for it is told so."
run gati plugin install "@$name/greeter" --dir app --gati-version 1.5.0 --yes
run ls "app/gati_modules/users/$name/clock/dist/index.js" "app/gati_modules/users/$name/greeter/dist/index.js"
refused gati plugin install "@$name/greeter" --dir old --gati-version 0.9.0 --yes

say "A second run has nothing to do, and works without the registry."
run gati plugin install --dir app --offline --gati-version 1.5.0
