#!/usr/bin/env bash
# k8s/rotate-database.sh ENVIRONMENT: a new password for the environment's database role, while it is in use.
#
# The role gets the new password first, then the Secrets, then the pods are replaced one by one. Connections that are
# open stay open: PostgreSQL asks for a password at the beginning of one alone. Nothing is printed that is secret.
set -euo pipefail
environment=${1:?which environment? k8s/rotate-database.sh production}
platform=${PLATFORM_NAMESPACE:-platform}
namespace=hilum-$environment
name=hilum_$environment
value() { kubectl -n "$1" get secret "$2" -o "go-template={{index .data \"$3\" | base64decode}}"; }
psql() { kubectl -n "$platform" exec -i postgresql-0 -c postgresql -- psql -v ON_ERROR_STOP=1 -qAt "$@"; }
patch() { printf '{"stringData": {"%s": "%s"}}' "$3" "$4" | kubectl -n "$1" patch secret "$2" --patch-file /dev/stdin >/dev/null; }

old=$(value "$platform" postgresql "$name-password")
new=$(head -c 24 /dev/urandom | base64 | tr '+/' 'ab' | tr -d '=')

# The Secret that PostgreSQL reads at its start, and the role as it is now.
patch "$platform" postgresql "$name-password" "$new"
printf "ALTER ROLE \"%s\" PASSWORD '%s';\n" "$name" "$new" | psql -U postgres
url=postgresql+psycopg://$name:$new@postgresql.$platform.svc:5432/$name
for part in web feedback; do patch "$namespace" hilum-database "$part-url" "$url"; done
echo "the role and the Secrets have the new password"
for part in feedback web; do
  kubectl -n "$namespace" rollout restart "deployment/$part" >/dev/null
  kubectl -n "$namespace" rollout status "deployment/$part" --timeout=300s >/dev/null
  echo "$part runs with it"
done
# By the pod's own address: from its loopback the image asks nobody for a password. The password goes in by stdin.
if printf '%s\n' "$old" | kubectl -n "$platform" exec -i postgresql-0 -c postgresql -- \
  bash -c 'read -r PGPASSWORD; export PGPASSWORD; psql -qAt -h "$(hostname -i)" -U "$1" -d "$1" -c "SELECT 1"' - "$name" >/dev/null 2>&1; then
  echo "the old password still opens the database" >&2; exit 1
fi
echo "the old password is refused"
