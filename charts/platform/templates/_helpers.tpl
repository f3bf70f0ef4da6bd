{{/* Labels of every object of a part. */}}
{{- define "platform.labels" -}}
app.kubernetes.io/name: {{ .part }}
app.kubernetes.io/part-of: hilum-platform
{{- end }}

{{/* Nothing that holds data is pruned or deleted. */}}
{{- define "platform.keep" -}}
argocd.argoproj.io/sync-options: Prune=false,Delete=false
helm.sh/resource-policy: keep
{{- end }}

{{/* A pod that runs as one user and may do nothing else. */}}
{{- define "platform.pod" -}}
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
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* A container that may do nothing but run. */}}
{{- define "platform.container" -}}
imagePullPolicy: {{ .Values.imagePullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}
