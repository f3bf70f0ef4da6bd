#!/usr/bin/env bash
# make restore-drill: back up now, restore the newest dump beside the live database, compare, and say how long it took.
#
# The live database is only read, and may be written meanwhile: its rows are counted before and after the dump, and what
# came back must lie between. What is stated is measured: RPO is the schedule of the backups, RTO the time printed here
# for one database, and grows with it. Needs KUBECONFIG, charts/platform with backups.
set -euo pipefail
platform=${PLATFORM_NAMESPACE:-platform}
database=${DATABASE:-hilum_production}
job=restore-drill
began=$SECONDS

psql() { kubectl -n "$platform" exec -i postgresql-0 -c postgresql -- psql -v ON_ERROR_STOP=1 -U postgres -qAt "$@"; }
clean() {
  kubectl -n "$platform" delete "job/$job" pod/restore-drill --ignore-not-found >/dev/null
  psql -c "DROP DATABASE IF EXISTS restore_drill WITH (FORCE)" >/dev/null 2>&1 </dev/null
}
rows() { # every table with its rows, counted in one statement
  psql -d "$1" -c "SELECT table_name, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I', table_name),
    false, true, '')))[1] FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1" </dev/null
}

clean
trap clean EXIT
before=$(rows "$database")
kubectl -n "$platform" create job --from=cronjob/backup "$job" >/dev/null
kubectl -n "$platform" wait --for=condition=complete "job/$job" --timeout=300s >/dev/null
later=$(rows "$database")
kept=$(kubectl -n "$platform" logs "job/$job" -c keep | grep "kept .*/$database/" | awk '{print $2}')
echo "backup: $kept, $((SECONDS - began)) s"

restoring=$SECONDS
psql -c "CREATE DATABASE restore_drill ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0"
# The dump comes out of the bucket and goes into the database from a pod, as it would on another cluster.
from_cronjob() { kubectl -n "$platform" get cronjob backup -o "jsonpath={.spec.jobTemplate.spec.template.spec.$1}"; }
tools=$(from_cronjob 'containers[0].image')
postgres=$(from_cronjob 'initContainers[0].image')
endpoint=$(from_cronjob 'containers[0].env[?(@.name=="S3_ENDPOINT")].value')
bucket=$(from_cronjob 'containers[0].env[?(@.name=="BACKUP_URL")].value'); bucket=${bucket#s3://}; bucket=${bucket%%/*}
secret=$(from_cronjob 'containers[0].envFrom[0].secretRef.name')
kubectl -n "$platform" create -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: restore-drill, labels: {app.kubernetes.io/name: platform-jobs}}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  initContainers:
    - name: fetch
      image: $tools
      command:
        - python
        - -c
        - |
          import boto3
          s3 = boto3.client("s3", endpoint_url="$endpoint" or None, region_name="us-east-1")
          s3.download_file("$bucket", "$kept", "/dump/dump.sql.gz")
      envFrom: [{secretRef: {name: $secret}}]
      resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 512Mi}}
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: dump, mountPath: /dump}]
  containers:
    - name: restore
      image: $postgres
      command: [bash, -euo, pipefail, -c, "gzip -dc /dump/dump.sql.gz | psql -v ON_ERROR_STOP=1 -q -h postgresql -U postgres -d restore_drill >/dev/null"]
      env: [{name: PGPASSWORD, valueFrom: {secretKeyRef: {name: postgresql, key: password}}}]
      resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 256Mi}}
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: dump, mountPath: /dump}]
  volumes: [{name: dump, emptyDir: {}}]
YAML
if ! kubectl -n "$platform" wait --for=jsonpath='{.status.phase}'=Succeeded pod/restore-drill --timeout=300s >/dev/null; then
  kubectl -n "$platform" logs restore-drill --all-containers >&2
  exit 1
fi
echo "restore: $((SECONDS - restoring)) s"

after=$(rows restore_drill)
# Every table of the three counts, with its rows before the dump, after it and restored.
counted=$(join -t'|' <(join -t'|' <(sort <<<"$before") <(sort <<<"$later")) <(sort <<<"$after"))
wrong=$(awk -F'|' '{low = $2 + 0 < $3 + 0 ? $2 : $3; high = $2 + $3 - low} $4 + 0 < low + 0 || $4 + 0 > high + 0' <<<"$counted")
if [ -n "$wrong" ] || [ "$(wc -l <<<"$counted")" != "$(wc -l <<<"$later")" ]; then
  echo "the restored database differs (table|rows before the dump|after it|restored):" >&2
  echo "${wrong:-a table is missing}" >&2; diff <(echo "$later") <(echo "$after") >&2; exit 1
fi
written=$(awk -F'|' '$2 != $3 {n += 1} END {print n + 0}' <<<"$counted")
same="the same as live"
[ "$written" = 0 ] || same="as many as live had between the counts before and after the dump ($written tables were written meanwhile)"
echo "$(wc -l <<<"$after") tables with $(awk -F'|' '{n += $2} END {print n}' <<<"$after") rows came back, $same; all of it $((SECONDS - began)) s"
