{{- /*
PostgreSQL's settings, as JSON. max_wal_size is a quarter of the volume, 16 GB at most. A connection whose other end does
not answer is closed after 10 s between nodes and after a minute for clients. Without the first limit, a node that shuts
down would wait for a lost peer until Kubernetes kills it.
*/}}
{{- define "hce-citus.parameters" -}}
{{- $values := .context.Values }}
{{- $alive := "keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=10000" }}
{{- $own := dict
  "max_connections" $values.maxConnections
  "max_prepared_transactions" $values.maxConnections
  "max_locks_per_transaction" 256
  "max_worker_processes" 24
  "max_replication_slots" 24
  "max_wal_senders" 24
  "wal_level" "logical"
  "max_wal_size" (include "hce-citus.max-wal-size" .)
  "min_wal_size" "80MB"
  "password_encryption" "scram-sha-256"
  "timezone" $values.timeZone
  "tcp_keepalives_idle" 30
  "tcp_keepalives_interval" 10
  "tcp_keepalives_count" 3
  "tcp_user_timeout" 60000
  "jit" "off"
  "log_min_error_statement" "panic"
  "log_error_verbosity" "terse"
  "hba_file" (printf "/etc/hce/hba/%s.conf" (ternary $values.tls.clients "prefer" $values.tls.enabled)) }}
{{- $tls := dict
  "ssl" "on"
  "ssl_cert_file" "/etc/hce/tls/tls.crt"
  "ssl_key_file" "/etc/hce/tls/tls.key"
  "citus.node_conninfo" (printf "sslmode=%s sslrootcert=/etc/hce/tls/ca.crt %s" $values.tls.nodes $alive) }}
{{- $plain := dict "ssl" "off" "citus.node_conninfo" (printf "sslmode=prefer %s" $alive) }}
{{- $all := dict }}
{{- range $name, $value := merge (deepCopy $values.settings) $own (ternary $tls $plain $values.tls.enabled) }}
{{- $_ := set $all $name (printf "%v" $value) }}
{{- end }}
{{- toJson $all }}
{{- end }}

{{- define "hce-citus.max-wal-size" -}}
{{ printf "%dMB" (min 16384 (div (mul (int .values.storage.sizeGi) 1024) 4)) }}
{{- end }}
