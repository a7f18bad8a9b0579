{{- /* What the registrar's pod reads: the authority of the certificates; with standbys, the groups and its own token. */}}
{{- define "hce-citus.registrar-mounts" -}}
{{- if .Values.tls.enabled -}}
- {name: tls, mountPath: /etc/hce/tls, readOnly: true}
{{- end }}
{{- if .Values.ha.enabled }}
- {name: patroni, mountPath: /etc/hce/patroni, readOnly: true}
{{ include "hce-citus.token-mount" . }}
{{- end }}
{{- end }}

{{- define "hce-citus.registrar-volumes" -}}
{{- if .Values.tls.enabled -}}
- name: tls
  secret:
    secretName: {{ include "hce-citus.tls-secret" . }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- if .Values.ha.enabled }}
- name: patroni
  configMap:
    name: citus-patroni
{{ include "hce-citus.token-volume" . }}
{{- end }}
{{- end }}
