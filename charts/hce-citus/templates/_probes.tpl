{{- /* Readiness does not depend on registration. The startup probe allows an hour for a long WAL replay. */}}
{{- define "hce-citus.probes" -}}
startupProbe:
  exec:
    command: [pg_isready, -U, postgres, -d, postgres, -h, 127.0.0.1]
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 1800
livenessProbe:
  exec:
    command: [pg_isready, -U, postgres, -d, postgres]
  initialDelaySeconds: 30
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  exec:
    command: [pg_isready, -U, postgres]
  initialDelaySeconds: 10
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}
