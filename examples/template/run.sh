#!/usr/bin/env bash
# A template: published, then a project is made of it, with a value for each variable.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
person

run gati template publish "$here/service" --access public
run gati init shop --template "@$name/service@1.0.0" --var title=shop --var database=postgres --yes
run grep -r shop shop/package.json shop/src/shop.js
run grep -F 'listen(3000)' shop/src/shop.js
run grep -F '{{ title }}' shop/src/shop.js

say "A value that the template does not admit is refused, and nothing is left behind."
refused gati init other --template "@$name/service" --var title=Shop/.. --yes
[[ ! -e other ]]
