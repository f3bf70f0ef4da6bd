{{/* Labels that select the pods of a part; they never change, so they hold neither version nor release name. */}}
{{- define "hilum.selector" -}}
app.kubernetes.io/name: hilum
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "hilum.labels" -}}
{{ include "hilum.selector" . }}
app.kubernetes.io/part-of: hilum
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
hilum.io/environment: {{ .root.Values.environment }}
{{- end }}

{{/* An image by digest; a missing digest stops here, not in a pod that can't start. */}}
{{- define "hilum.image" -}}
{{- $image := index .root.Values.bundle.images .part -}}
{{- if not $image.digest -}}
{{- fail (printf "bundle.images.%s.digest is empty: images run by digest alone. `make publish ENV=%s` writes it." .part .root.Values.environment) -}}
{{- end -}}
{{ $image.repository }}@{{ $image.digest }}
{{- end }}

{{/* What every pod has: identity, restricted security, spreading. */}}
{{- define "hilum.pod" -}}
serviceAccountName: {{ .part }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- if .spread }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "hilum.selector" . | nindent 8 }}
{{- end }}
{{- end }}

{{/* What every container may do: nothing but run. */}}
{{- define "hilum.container" -}}
imagePullPolicy: {{ .root.Values.imagePullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/*
Probes on the port named http: alive, ready, and time to start. `patience`: how often a pod that was ready may say that it
is not before it gets no requests.
*/}}
{{- define "hilum.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  # Five minutes: on two busy cores a start has taken more than two.
  failureThreshold: 150
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 3
  timeoutSeconds: 5
  failureThreshold: {{ .patience | default 2 }}
{{- end }}

{{/* A part's further settings as environment variables. */}}
{{- define "hilum.settings" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* Annotations by which a Prometheus without the operator finds the pod. */}}
{{- define "hilum.scrape" -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .port | quote }}
prometheus.io/path: /metrics
{{- end }}

{{/* AWS keys from a Secret. */}}
{{- define "hilum.s3keys" -}}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ . }}, key: AWS_ACCESS_KEY_ID}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: AWS_SECRET_ACCESS_KEY}}
{{- end }}

{{/* The keys whose releases are trusted; never none. */}}
{{- define "hilum.trustedKeys" -}}
{{ .Values.releaseStore.trustedKeys | default (.Files.Get "files/trusted-keys.txt") | required "releaseStore.trustedKeys is empty: whose releases are trusted?" }}
{{- end }}
