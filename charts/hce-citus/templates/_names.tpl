{{- /* The names, labels and images that the templates use. */}}

{{- define "hce-citus.namespace" -}}
{{ .Values.namespace.name | default .Release.Namespace }}
{{- end }}

{{- define "hce-citus.secret" -}}
{{ .Values.auth.existingSecret | default "hce-citus" }}
{{- end }}

{{- define "hce-citus.tls-secret" -}}
{{ .Values.tls.existingSecret | default "hce-citus-tls" }}
{{- end }}

{{- define "hce-citus.postgres-image" -}}
{{ .Values.images.postgres.repository }}:{{ .Values.images.postgres.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "hce-citus.registrar-image" -}}
{{ .Values.images.registrar.repository }}:{{ .Values.images.registrar.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* The names of the nodes in Citus: the pods', or with standbys those of the Services that follow the leaders. */}}
{{- define "hce-citus.coordinator-host" -}}
citus-coordinator{{ if not .Values.ha.enabled }}-0.citus-nodes{{ end }}.{{ include "hce-citus.namespace" . }}.svc.{{ .Values.clusterDomain }}
{{- end }}

{{- define "hce-citus.worker-hosts" -}}
{{- range $number := until (int .Values.worker.replicas) -}}
{{ if $number }} {{ end }}citus-worker-{{ $number }}{{ if not $.Values.ha.enabled }}.citus-nodes{{ end }}.{{ include "hce-citus.namespace" $ }}.svc.{{ $.Values.clusterDomain }}
{{- end -}}
{{- end }}

{{- /* The DNS names in a node's certificate; *.<namespace> is for a Service in front of a group with standbys. */}}
{{- define "hce-citus.tls-names" -}}
{{- $domain := printf "%s.svc.%s" (include "hce-citus.namespace" .) .Values.clusterDomain -}}
{{ list "localhost" "citus-coordinator" "citus-worker" (printf "citus-coordinator.%s" (include "hce-citus.namespace" .)) (printf "citus-coordinator.%s" $domain) (printf "*.citus-nodes.%s" $domain) (printf "*.%s" $domain) | concat .Values.tls.names | toJson }}
{{- end }}

{{- /* Labels that must never change, because selectors use them. */}}
{{- define "hce-citus.selector" -}}
app.kubernetes.io/name: hce-citus
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "hce-citus.labels" -}}
{{ include "hce-citus.selector" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
helm.sh/chart: {{ .context.Chart.Name }}-{{ .context.Chart.Version }}
{{- end }}
