{{/* Secrets that web reads as files: folder below /etc/hilum, name of the Secret. */}}
{{- define "hilum.web.secrets" -}}
{{- with .Values.web.usersSecret }}
users: {{ . }}
{{- end }}
{{- with .Values.web.oidc.secret }}
oidc: {{ . }}
{{- end }}
{{- if .Values.dicom.enabled }}
{{- with .Values.dicom.tlsSecret }}
dicom-tls: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Who may sign in, and by which names the service is asked. */}}
{{- define "hilum.signin" -}}
{{- $web := .Values.web -}}
{{- if not (or $web.usersSecret $web.oidc.issuer) }}
{{- fail "web.usersSecret and web.oidc.issuer are both empty: who may sign in?" }}
{{- end -}}
{{- if $web.usersSecret -}}
- {name: HILUM_USERS_FILE, value: /etc/hilum/users/users.toml}
{{- end }}
{{- with $web.oidc.issuer }}
- {name: HILUM_OIDC_ISSUER, value: {{ . | quote }}}
- {name: HILUM_OIDC_CLIENT_ID, value: {{ $web.oidc.clientId | quote }}}
{{- with $web.oidc.secret }}
- {name: HILUM_OIDC_CLIENT_SECRET_FILE, value: /etc/hilum/oidc/client-secret}
{{- end }}
{{- end }}
- {name: HILUM_PUBLIC_URL, value: {{ $web.publicUrl | default (printf "https://%s" .Values.ingress.host) | quote }}}
- {name: HILUM_ALLOWED_HOSTS, value: {{ concat (list "web" (printf "web.%s" .Release.Namespace) (printf "web.%s.svc" .Release.Namespace)) $web.allowedHosts | join "," | quote }}}
{{- end }}

{{/* C-STORE, and where results go. */}}
{{- define "hilum.dicom" -}}
{{- with .Values.dicom }}
{{- if .enabled }}
- {name: HILUM_DICOM_PORT, value: "11112"}
- {name: HILUM_DICOM_TITLE, value: {{ .title | quote }}}
{{- $peers := list }}
{{- range $title, $site := .peers }}{{ $peers = append $peers (printf "%s=%s" $title $site) }}{{ end }}
- {name: HILUM_DICOM_PEERS, value: {{ join "," $peers | quote }}}
{{- if .tlsSecret }}
- {name: HILUM_DICOM_TLS_CERTIFICATE, value: /etc/hilum/dicom-tls/tls.crt}
- {name: HILUM_DICOM_TLS_KEY, value: /etc/hilum/dicom-tls/tls.key}
{{- if .tlsClientAuthority }}
- {name: HILUM_DICOM_TLS_CA, value: /etc/hilum/dicom-tls/ca.crt}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.results }}
{{- if .to }}
- {name: HILUM_RESULTS_TO, value: {{ .to | quote }}}
{{- with .tokenSecret }}
- name: HILUM_RESULTS_TOKEN
  valueFrom: {secretKeyRef: {name: {{ . }}, key: token}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
