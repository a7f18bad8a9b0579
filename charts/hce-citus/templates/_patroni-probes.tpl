{{- /* Probes by Patroni's REST API. The startup probe allows an hour for a base backup or a long WAL replay. */}}
{{- define "hce-citus.patroni-probes" -}}
{{- $scheme := ternary "HTTPS" "HTTP" .Values.tls.enabled }}
startupProbe:
  httpGet: {path: /liveness, port: patroni, scheme: {{ $scheme }}}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 1800
livenessProbe:
  httpGet: {path: /liveness, port: patroni, scheme: {{ $scheme }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readiness, port: patroni, scheme: {{ $scheme }}}
  periodSeconds: 3
  timeoutSeconds: 5
{{- end }}
