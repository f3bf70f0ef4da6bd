#!/usr/bin/env bash
# make e2e-ci: the short subset of make e2e-local, from nothing to a rolling update under load. Exit status 0 where it can't
# run here, with one line that says why; HILUM_REQUIRE_REAL=1 makes that a failure.
set -euo pipefail
cd "$(dirname "$0")/../../.."
cluster=${CLUSTER_HARNESS:-../shared/cluster}

cannot() { echo "e2e-ci did not run: $1"; [ "${HILUM_REQUIRE_REAL:-}" != 1 ] || exit 1; exit 0; }
[ "$(id -u)" = 0 ] || cannot "it needs root"
[ -x "$cluster/cluster" ] || cannot "there is no $cluster/cluster"
command -v kubectl >/dev/null || PATH="$(.venv/bin/python -m tests.charts.tools):$PATH" || cannot "there is no kubectl"
command -v buildah >/dev/null || { apt-get update -qq && apt-get install -y -qq buildah; } >/dev/null 2>&1 || cannot "buildah is not installed, nor can it be"

"$cluster/cluster" up --with storage,servicelb,traefik,rollouts,registry,git,argocd,minio,metrics,prometheus \
  || cannot "the cluster did not come up (above)"
"$cluster/cluster" image build "$cluster/images/postgres" --tag docker.io/library/postgres:15 \
  || cannot "PostgreSQL's image was not built (above)"
eval "$("$cluster/cluster" env)"
exec .venv/bin/python -m tests.e2e.cluster --ci
