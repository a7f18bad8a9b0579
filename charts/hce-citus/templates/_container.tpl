{{- define "hce-citus.postgres-container" -}}
{{- $ := .context }}
name: postgres
image: {{ include "hce-citus.postgres-image" $ }}
imagePullPolicy: {{ $.Values.images.pullPolicy }}
args:
  {{- include "hce-citus.settings" . | nindent 2 }}
env:
  - name: POSTGRES_PASSWORD
    valueFrom:
      secretKeyRef:
        name: {{ include "hce-citus.secret" $ }}
        key: postgres-password
  - name: POSTGRES_INITDB_ARGS
    value: --data-checksums --encoding=UTF8 --locale=C.UTF-8 --auth-host=scram-sha-256
  - name: HCE_NODE_ROLE
    value: {{ .role }}
  - name: HCE_TIME_ZONE
    value: {{ $.Values.timeZone }}
ports:
  - name: postgres
    containerPort: 5432
securityContext:
  {{- include "hce-citus.container-security" $ | nindent 2 }}
{{- with .values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
startupProbe: # a long replay of the write-ahead log is left alone for an hour
  exec:
    command: [pg_isready, -U, postgres, -d, postgres, -h, 127.0.0.1]
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 720
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
volumeMounts:
  - {name: data, mountPath: /var/lib/postgresql/data}
  - {name: tmp, mountPath: /tmp}
  - {name: run, mountPath: /var/run/postgresql}
  - {name: shm, mountPath: /dev/shm}
{{- end }}

{{- /* PostgreSQL's settings; max_wal_size is a quarter of the volume, at most 16 GB. */}}
{{- define "hce-citus.settings" -}}
{{- $own := dict
  "max_connections" .context.Values.maxConnections
  "max_prepared_transactions" .context.Values.maxConnections
  "max_locks_per_transaction" 256
  "max_worker_processes" 24
  "max_replication_slots" 24
  "max_wal_senders" 24
  "wal_level" "logical"
  "max_wal_size" (printf "%dMB" (min 16384 (div (mul (int .values.storage.sizeGi) 1024) 4)))
  "min_wal_size" "80MB"
  "password_encryption" "scram-sha-256"
  "citus.node_conninfo" "sslmode=prefer"
  "timezone" .context.Values.timeZone
  "jit" "off"
  "log_min_error_statement" "panic"
  "log_error_verbosity" "terse" }}
- postgres
{{- range $name, $value := merge (deepCopy .context.Values.settings) $own }}
- -c
- {{ printf "%s=%v" $name $value | quote }}
{{- end }}
{{- end }}
