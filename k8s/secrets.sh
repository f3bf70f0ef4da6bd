#!/usr/bin/env bash
# make secrets: make every Secret that the charts name, where it is not there yet, with random values.
#
# Nothing is printed, nothing is written to disk, and what is there is never changed. A new database password for an
# environment in use: k8s/rotate-database.sh ENVIRONMENT.
set -euo pipefail
platform=${PLATFORM_NAMESPACE:-platform}
environments=${ENVIRONMENTS:-production staging canary}
kubectl=${KUBECTL:-kubectl}

random() { head -c 24 /dev/urandom | base64 | tr '+/' 'ab' | tr -d '='; }
there() { $kubectl -n "$1" get secret "$2" >/dev/null 2>&1; }
value() { $kubectl -n "$1" get secret "$2" -o "go-template={{index .data \"$3\" | base64decode}}"; }
make_secret() { # namespace, name, key=value...: by stdin, so that no value stands in a process list
  local namespace=$1 name=$2; shift 2
  { printf 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: %s\n  annotations:\n' "$name" "$namespace"
    printf '    argocd.argoproj.io/sync-options: Prune=false,Delete=false\nstringData:\n'
    for pair in "$@"; do printf '  %s: "%s"\n' "${pair%%=*}" "${pair#*=}"; done; } | $kubectl create -f - >/dev/null
  echo "made $namespace/$name"
}

add_keys() { # namespace, name, key=value...: only the keys that are not there
  local namespace=$1 name=$2 pair lines=""; shift 2
  for pair in "$@"; do
    [ -n "$($kubectl -n "$namespace" get secret "$name" -o "go-template={{index .data \"${pair%%=*}\"}}" | grep -v '^<no value>$')" ] \
      || lines+="  ${pair%%=*}: \"${pair#*=}\""$'\n'
  done
  [ -z "$lines" ] || { printf 'stringData:\n%s' "$lines" \
    | $kubectl -n "$namespace" patch secret "$name" --patch-file /dev/stdin >/dev/null && echo "added to $namespace/$name"; }
}

$kubectl get namespace "$platform" >/dev/null || { echo "first: kubectl apply -k k8s/bootstrap" >&2; exit 1; }
there "$platform" postgresql || make_secret "$platform" postgresql "password=$(random)" \
  "hilum_production-password=$(random)" "hilum_staging-password=$(random)" "mlflow-password=$(random)"
add_keys "$platform" postgresql "mlflow-password=$(random)" "monitoring-password=$(random)"
there "$platform" mlflow || make_secret "$platform" mlflow "flask-secret=$(random)" "admin-password=$(random)" \
  "trainer-password=$(random)" "promoter-password=$(random)"
if $kubectl get namespace monitoring >/dev/null 2>&1; then
  there monitoring monitoring-postgresql || make_secret monitoring monitoring-postgresql username=monitoring \
    "password=$(value "$platform" postgresql monitoring-password)"
  there monitoring grafana || make_secret monitoring grafana admin-user=admin "admin-password=$(random)"
fi
there "$platform" minio || make_secret "$platform" minio "AWS_ACCESS_KEY_ID=hilum" "AWS_SECRET_ACCESS_KEY=$(random)"

for environment in $environments; do
  namespace=hilum-$environment
  there "$namespace" hilum-s3 || make_secret "$namespace" hilum-s3 \
    "AWS_ACCESS_KEY_ID=$(value "$platform" minio AWS_ACCESS_KEY_ID)" \
    "AWS_SECRET_ACCESS_KEY=$(value "$platform" minio AWS_SECRET_ACCESS_KEY)"
  [ "$environment" != canary ] || continue # inference alone: no database
  # What the promoter signs in to MLflow with; it runs beside production.
  [ "$environment" != production ] || there "$namespace" hilum-promoter || make_secret "$namespace" hilum-promoter \
    "mlflow-token=promoter:$(value "$platform" mlflow promoter-password)"
  name=hilum_$environment
  if ! there "$namespace" hilum-database; then
    url=postgresql+psycopg://$name:$(value "$platform" postgresql "$name-password")@postgresql.$platform.svc:5432/$name
    make_secret "$namespace" hilum-database "web-url=$url" "feedback-url=$url"
  fi
  there "$namespace" hilum-salts || make_secret "$namespace" hilum-salts "patient=$(random)" "blind=$(random)"
  if ! there "$namespace" hilum-ledger-key; then
    openssl genpkey -algorithm ed25519 | $kubectl -n "$namespace" create secret generic hilum-ledger-key \
      --from-file=ledger-key.pem=/dev/stdin >/dev/null && echo "made $namespace/hilum-ledger-key"
  fi
  there "$namespace" hilum-users || echo "missing $namespace/hilum-users: hilum users add NAME --file users.toml, then" \
    "kubectl -n $namespace create secret generic hilum-users --from-file=users.toml"
  there "$namespace" hilum-tls || echo "missing $namespace/hilum-tls: kubectl -n $namespace create secret tls hilum-tls" \
    "--cert=FILE --key=FILE, or let cert-manager make it (ingress.clusterIssuer)"
done
