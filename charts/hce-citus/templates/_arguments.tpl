{{- /*
The arguments of the container: the settings, or what a member of a group does not share with the others. A standby that is
away makes the leader keep WAL, of which the volume must not get full: after that the standby has to copy the data again.
*/}}
{{- define "hce-citus.settings" -}}
{{- if .context.Values.ha.enabled -}}
- patroni
{{- range $name := list "max_wal_size" "max_slot_wal_keep_size" }}
{{- if not (hasKey $.context.Values.settings $name) }}
- -c
- {{ printf "%s=%s" $name (include "hce-citus.max-wal-size" $) | quote }}
{{- end }}
{{- end }}
{{- else -}}
- postgres
{{- range $name, $value := include "hce-citus.parameters" . | fromJson }}
- -c
- {{ printf "%s=%v" $name $value | quote }}
{{- end }}
{{- end }}
{{- end }}
