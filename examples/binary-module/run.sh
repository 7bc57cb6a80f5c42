#!/usr/bin/env bash
# A program for a platform: published as an index, installed where it fits.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
person

say "Any program of this machine will do."
cp -r "$here/report" report
cp "$(readlink -f "$(command -v uname)")" report/report

run gati module publish report --access public
run gati module install "@$name/report" --dir app
run cmp report/report "app/gati_modules/users/$name/report/report"
run "app/gati_modules/users/$name/report/report" -s

say "What says that it is for another machine than it is for is refused."
sed -i 's/amd64/arm64/' report/gati-module.json
refused gati module publish report --version 2.2.0
