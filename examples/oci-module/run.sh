#!/usr/bin/env bash
# A container image that is a Gati module: docker and podman pull and run it as it is, Gati knows what it needs.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
person

say "An image with one file, written without a builder as an OCI image layout."
cp -r "$here/greeting" greeting
printf '#!/bin/sh\necho "${GREETING:-hello}"\n' >greeting.sh
tar --create --file layer.tar --mode 0755 --owner 0 --group 0 --transform 's/.*/greeting/' greeting.sh
printf '{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/greeting"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(sha256sum layer.tar | cut -d' ' -f1)" >config.json
run oras push --oci-layout greeting/image:1 --config config.json:application/vnd.oci.image.config.v1+json \
    layer.tar:application/vnd.oci.image.layer.v1.tar

run gati module publish greeting --access public
run gati module info "@$name/greeting"

say "The image is an image, and its Gati manifest hangs on it."
run oras manifest fetch-config "${plain[@]}" "$host/users/$name/greeting:1.0.0"
run oras discover "${plain[@]}" "$host/users/$name/greeting:1.0.0"
