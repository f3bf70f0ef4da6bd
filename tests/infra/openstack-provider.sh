#!/usr/bin/env bash
# Build OpenStack's provider from its Go module into a mirror of providers, for a machine that can't have it ready-made:
#
#   tests/infra/openstack-provider.sh /opt/tf-plugins /tmp/mirror && TF_PLUGIN_MIRROR=/tmp/mirror make test-infra
#
# The first folder is a mirror that holds the AWS provider, the second is made. Needs Go and about ten minutes of a core. Its own checksum is
# not in every Go checksum database: what was built on 2026-11-21 is said below, and compared.
set -euo pipefail
[ $# = 2 ] || { sed -n 2,7p "$0"; exit 2; }
version=v3.4.0
sum=h1:Ap8gvameIY5ZM7CMh7fngP/VoIyeupzKX3izoyfp9yg=
module=github.com/terraform-provider-openstack/terraform-provider-openstack/v3@$version
host=$(basename "$(dirname "$(find "$1" -type d -name hashicorp | head -1)")")
found=$(GONOSUMDB=github.com/terraform-provider-openstack go mod download -json "$module")
[ "$(sed -n 's/.*"Sum": "\(.*\)".*/\1/p' <<<"$found")" = "$sum" ] || { echo "another $version than the one tried: $found" >&2; exit 1; }
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
cp -r --no-preserve=mode "$(sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$found")/." "$source"
target=$2/$host/terraform-provider-openstack/openstack/${version#v}/linux_$(go env GOARCH)
mkdir -p "$target"
# Terraform follows a link at the platform's folder alone.
for platform in "$1/$host"/hashicorp/*/*/*; do
  link=$2/${platform#"$1"/}
  mkdir -p "$(dirname "$link")"
  ln -sfn "$(realpath "$platform")" "$link"
done
(cd "$source" && CGO_ENABLED=0 go build -buildvcs=false -ldflags "-s -w" -o "$target/terraform-provider-openstack_$version" .)
echo "TF_PLUGIN_MIRROR=$2"
