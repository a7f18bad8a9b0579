{{- /*
Patroni's dynamic configuration: https://patroni.readthedocs.io/en/latest/dynamic_configuration.html
A leader waits for a standby whose machine has vanished until wal_sender_timeout: a minute by default, here ha.ttl.
*/}}
{{- define "hce-citus.dynamic-configuration" -}}
{{- $ha := .Values.ha }}
{{- $parameters := include "hce-citus.parameters" (dict "context" $ "values" .Values.coordinator) | fromJson }}
{{- if not (hasKey .Values.settings "max_wal_size") }}
{{- $parameters = omit $parameters "max_wal_size" }}
{{- end }}
{{- $parameters = merge $parameters (dict "wal_sender_timeout" (printf "%ds" (int $ha.ttl))) }}
{{- dict
  "ttl" $ha.ttl
  "loop_wait" $ha.loopWait
  "retry_timeout" $ha.retryTimeout
  "maximum_lag_on_failover" 1048576
  "synchronous_mode" true
  "synchronous_mode_strict" $ha.strict
  "failsafe_mode" true
  "ignore_slots" (list (dict "type" "logical"))
  "postgresql" (dict "use_pg_rewind" true "use_slots" true "parameters" $parameters) | toJson }}
{{- end }}

{{- /* Patroni finds its pods and the objects of its store by these labels and by the label with the group's name. */}}
{{- define "hce-citus.patroni-labels" -}}
{{ dict "app.kubernetes.io/name" "hce-citus" "app.kubernetes.io/instance" .Release.Name | toJson }}
{{- end }}

{{- /* Each node and the Service of its standbys, as PRIMARY=HOST. */}}
{{- define "hce-citus.secondaries" -}}
{{- $names := list }}
{{- range $group := include "hce-citus.groups" . | fromJsonArray }}
{{- $names = append $names (printf "%s=%s" $group.host (replace (printf "%s." $group.name) (printf "%s-read." $group.name) $group.host)) }}
{{- end }}
{{- join " " $names }}
{{- end }}

{{- /* The selector of a group's Service; null where Patroni itself writes the Endpoints. */}}
{{- define "hce-citus.leader-selector" -}}
{{- if eq .context.Values.ha.store "configmaps" -}}
selector:
  app.kubernetes.io/instance: {{ .context.Release.Name }}
  hce-citus/group: {{ .group }}
  role: primary
{{- else -}}
selector: null # also removes one that a failed upgrade left
{{- end }}
{{- end }}
