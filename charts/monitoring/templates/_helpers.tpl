{{/* Labels of every object of a part. */}}
{{- define "monitoring.labels" -}}
app.kubernetes.io/name: {{ .part }}
app.kubernetes.io/component: {{ .part }}
app.kubernetes.io/part-of: hilum-monitoring
{{- end }}

{{/* A pod that runs as one user and may do nothing else. */}}
{{- define "monitoring.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user | default 65532 }}
  runAsGroup: {{ .user | default 65532 }}
  fsGroup: {{ .user | default 65532 }}
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* A container that may do nothing but run. */}}
{{- define "monitoring.container" -}}
imagePullPolicy: {{ .Values.imagePullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Probes of a program that answers at `path` of the port named http. */}}
{{- define "monitoring.probes" -}}
startupProbe:
  httpGet: {path: {{ .ready }}, port: http}
  periodSeconds: 2
  failureThreshold: 90
livenessProbe:
  httpGet: {path: {{ .live }}, port: http}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: {{ .ready }}, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{/* The account's token, for the two parts that ask the API server; nothing else gets one. */}}
{{- define "monitoring.token" -}}
name: token
projected:
  defaultMode: 0440
  sources:
    - serviceAccountToken: {path: token, expirationSeconds: 3600}
    - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
    - downwardAPI: {items: [{path: namespace, fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}]}
{{- end }}

{{/* The rules as they stand in rules/, with the addresses of the runbooks and of the reading room before each page. */}}
{{- define "monitoring.rules" -}}
{{ .text
  | replace "runbook_url: runbooks/" (printf "runbook_url: %s/" (trimSuffix "/" .root.Values.runbooks))
  | replace "report_url: reading-room/" (printf "report_url: %s/" (trimSuffix "/" .root.Values.readingRoom)) }}
{{- end }}

{{/* What a person is told of a group of alerts, by e-mail and in a chat; Alertmanager fills it in. */}}
{{- define "monitoring.message" -}}
{{ `{{ range $k, $alert := .Alerts }}{{ if $k }}

{{ end }}{{ $alert.Status | toUpper }}: {{ $alert.Annotations.summary }}
{{ $alert.Annotations.description }}
{{ $alert.Labels.alertname }}, {{ $alert.Labels.severity }}, for {{ $alert.Labels.team }}; since {{ $alert.StartsAt.UTC.Format "2006-01-02 15:04 UTC" }}{{ if eq $alert.Status "resolved" }}, ended {{ $alert.EndsAt.UTC.Format "2006-01-02 15:04 UTC" }}{{ end }}
What to do: {{ $alert.Annotations.runbook_url }}{{ with $alert.Annotations.report_url }}
Report: {{ . }}{{ end }}{{ end }}` }}
{{- end }}

{{/* A volume claim of a StatefulSet. */}}
{{- define "monitoring.claim" -}}
- metadata:
    name: data
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests: {storage: {{ .storage }}}
{{- end }}
