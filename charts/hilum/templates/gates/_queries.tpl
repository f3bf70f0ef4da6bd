{{/*
What analysis asks Prometheus. No data is an empty vector, a division of nothing is NaN: neither passes nor fails.
Each metric: the first failure fails, the first success is enough, all else waits. A Rollout refuses analysis without a
count, and a metric that has used its count up ends well: a million looks, weeks beyond any deadline.
*/}}

{{/* Counts of the prober: {root, target, pods (a matcher of the update's hash), window}. */}}
{{- define "hilum.gates.probes" -}}
sum(increase({{ .series }}{namespace={{ .root.Release.Namespace | quote }},target={{ .target | quote }},pods{{ .pods }}}[{{ .window }}]))
{{- end }}

{{/*
Wald's likelihood ratio (1945) of "errors at the margin" against "errors at the tolerance": at 1/alpha or above the release
fails, wrongly in at most a share alpha of all; at beta or below it passes.
*/}}
{{- define "hilum.gates.ratio" -}}
{{- $g := .root.Values.gates.errors -}}
exp(
  scalar(ln(vector({{ divf $g.margin $g.tolerance }}))) * ({{ .failed }})
  + scalar(ln(vector({{ divf (subf 1.0 $g.margin) (subf 1.0 $g.tolerance) }}))) * (({{ .all }}) - ({{ .failed }}))
) and ({{ .all }}) > 0
{{- end }}

{{- define "hilum.gates.probeErrors" -}}
{{- $all := include "hilum.gates.probes" (merge (dict "series" "hilum_probes_total") .) -}}
{{- $failed := include "hilum.gates.probes" (merge (dict "series" "hilum_probe_failures_total") .) -}}
{{- include "hilum.gates.ratio" (dict "root" .root "all" $all "failed" $failed) }}
{{- end }}

{{/* Mean of the logarithm of a probe's time. */}}
{{- define "hilum.gates.probeLog" -}}
{{ include "hilum.gates.probes" (merge (dict "series" "hilum_probe_log_milliseconds_total") .) }} / {{ include "hilum.gates.probes" (merge (dict "series" "hilum_probe_seconds_count") .) }}
{{- end }}

{{/*
Ratio of the geometric means of two probes, `a` to `b`, where each has answered `least` times: over the same minutes, so that what
else the node did befell both.
*/}}
{{- define "hilum.gates.probeRatio" -}}
exp({{ include "hilum.gates.probeLog" .a }} - {{ include "hilum.gates.probeLog" .b }})
and {{ include "hilum.gates.probes" (merge (dict "series" "hilum_probe_seconds_count") .a) }} >= {{ .least }}
and {{ include "hilum.gates.probes" (merge (dict "series" "hilum_probe_seconds_count") .b) }} >= {{ .least }}
{{- end }}

{{- define "hilum.gates.watched" -}}
interval: {{ .Values.gates.interval }}
count: 1000000
failureLimit: 0
consecutiveSuccessLimit: 1
inconclusiveLimit: 1000000
consecutiveErrorLimit: 1000000
{{- end }}

{{- define "hilum.gates.prometheus" -}}
prometheus:
  address: {{ .root.Values.gates.prometheus }}
  query: |
    {{- .query | nindent 4 }}
{{- end }}

{{/* What a Rollout's blue-green strategy says of its analysis. */}}
{{- define "hilum.gates.rollout" -}}
{{- if and .Values.gates.enabled (eq .Values.environment "staging") }}
prePromotionAnalysis:
  templates: [{templateName: gate-staging}]
{{- else if and .Values.gates.enabled (eq .Values.environment "production") }}
prePromotionAnalysis:
  templates: [{templateName: gate-production-before}]
  args: [{name: pods, valueFrom: {podTemplateHashValue: Latest}}]
postPromotionAnalysis:
  templates: [{templateName: gate-production-after}]
  args: [{name: pods, valueFrom: {podTemplateHashValue: Latest}}]
{{- end }}
{{- end }}
