#!/usr/bin/env bash
# k8s/push-release.sh FOLDER: put a release into the cluster's own store (the MinIO of charts/platform); prints its digest.
#
# With a store outside the cluster: hilum release push FOLDER s3://bucket --endpoint https://...
set -euo pipefail
folder=${1:?which folder? k8s/push-release.sh models/default}
platform=${PLATFORM_NAMESPACE:-platform}
hilum=${HILUM:-.venv/bin/hilum}
port=${PORT:-19000}
value() { kubectl -n "$platform" get secret minio -o "go-template={{index .data \"$1\" | base64decode}}"; }

kubectl -n "$platform" port-forward service/minio "$port:9000" >/dev/null 2>&1 &
forward=$!
trap 'kill $forward' EXIT
for _ in $(seq 50); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.2; done
AWS_ACCESS_KEY_ID=$(value AWS_ACCESS_KEY_ID) AWS_SECRET_ACCESS_KEY=$(value AWS_SECRET_ACCESS_KEY) \
  "$hilum" release push "$folder" "s3://${RELEASES_BUCKET:-hilum-releases}" --endpoint "http://127.0.0.1:$port"
