{{/* inference's pod: the release comes by an init container, verified, into a folder that the server only reads. */}}
{{- define "hilum.inference.pod" -}}
{{- $ctx := dict "root" . "part" "inference" "spread" true -}}
{{- $i := .Values.inference -}}
metadata:
  labels:
    {{- include "hilum.labels" $ctx | nindent 4 }}
  annotations:
    {{- include "hilum.scrape" (dict "port" 8000) | nindent 4 }}
    {{- with .Values.bundle.run.attempt }}
    # Each attempt of the promoter is a revision of its own, with an analysis of its own.
    hilum.io/attempt: {{ . | quote }}
    {{- end }}
    checksum/trusted-keys: {{ include "hilum.trustedKeys" . | sha256sum }}
spec:
  {{- include "hilum.pod" $ctx | nindent 2 }}
  terminationGracePeriodSeconds: 60
  {{- if $i.gpu.enabled }}
  runtimeClassName: {{ $i.gpu.runtimeClassName }}
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
          - matchExpressions:
              - {key: nvidia.com/gpu.present, operator: In, values: ["true"]}
  tolerations:
    - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}
  {{- end }}
  initContainers:
    - name: release
      image: {{ include "hilum.image" $ctx }}
      {{- include "hilum.container" $ctx | nindent 6 }}
      command: [python, -m, hilum.release.fetch]
      env:
        - {name: HILUM_RELEASE_STORE, value: {{ .Values.releaseStore.url | quote }}}
        - {name: HILUM_RELEASE_DIGEST, value: {{ required "bundle.release.digest is empty: which release is served?" .Values.bundle.release.digest | quote }}}
        - {name: HILUM_RELEASE, value: /release/served}
        - {name: HILUM_TRUSTED_KEYS, value: /etc/hilum/trusted-keys.txt}
        - {name: HILUM_S3_ENDPOINT, value: {{ .Values.releaseStore.endpoint | quote }}}
        {{- include "hilum.s3keys" .Values.releaseStore.secret | nindent 8 }}
      resources:
        requests: {cpu: 50m, memory: 150Mi}
        limits: {memory: 400Mi}
      volumeMounts:
        - {name: release, mountPath: /release}
        - {name: trusted-keys, mountPath: /etc/hilum, readOnly: true}
        - {name: tmp, mountPath: /tmp}
  containers:
    - name: inference
      image: {{ include "hilum.image" $ctx }}
      {{- include "hilum.container" $ctx | nindent 6 }}
      ports:
        - {name: http, containerPort: 8000, protocol: TCP}
      env:
        - {name: HILUM_RELEASE, value: /release/served}
        - {name: HILUM_TRUSTED_KEYS, value: /etc/hilum/trusted-keys.txt}
        - {name: HILUM_PRECISION, value: {{ .Values.bundle.release.precision | quote }}}
        {{- if and $i.gpu.enabled (not (hasKey $i.settings "HILUM_PROVIDER")) }}
        # Without CUDA the server is not ready and says so; inference.settings.HILUM_PROVIDER says otherwise (auto, tensorrt).
        - {name: HILUM_PROVIDER, value: cuda}
        {{- end }}
        {{- include "hilum.settings" $i.settings | nindent 8 }}
      {{- include "hilum.probes" (dict) | nindent 6 }}
      lifecycle:
        preStop: {sleep: {seconds: 2}}
      resources:
        requests:
          {{- toYaml $i.resources.requests | nindent 10 }}
        limits:
          {{- toYaml $i.resources.limits | nindent 10 }}
          {{- if $i.gpu.enabled }}
          {{ $i.gpu.resource }}: {{ $i.gpu.count }}
          {{- end }}
      volumeMounts:
        - {name: release, mountPath: /release, readOnly: true}
        - {name: trusted-keys, mountPath: /etc/hilum, readOnly: true}
        - {name: tmp, mountPath: /tmp}
  volumes:
    - {name: release, emptyDir: {sizeLimit: 2Gi}}
    - {name: tmp, emptyDir: {sizeLimit: 1Gi}}
    - {name: trusted-keys, configMap: {name: trusted-keys}}
{{- end }}
