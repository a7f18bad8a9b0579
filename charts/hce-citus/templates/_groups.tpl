{{- /*
Groups with standbys. A group is one node of Citus; its members are pods of the same number in StatefulSets that differ in
the last letter: citus-worker-0 and citus-worker-b-0. The group's Service has the name of the first member.
*/}}
{{- define "hce-citus.standby-letters" -}}
{{ slice (list "b" "c") 0 (sub (int .Values.ha.members) 1 | int) | toJson }}
{{- end }}

{{- define "hce-citus.groups" -}}
{{- $context := . }}
{{- $domain := printf "%s.svc.%s" (include "hce-citus.namespace" .) .Values.clusterDomain }}
{{- $numbers := list (dict "role" "coordinator" "number" 0 "name" "citus-coordinator") }}
{{- range $number := until (int .Values.worker.replicas) }}
{{- $numbers = append $numbers (dict "role" "worker" "number" $number "name" (printf "citus-worker-%d" $number)) }}
{{- end }}
{{- $groups := list }}
{{- range $group := $numbers }}
{{- $members := list }}
{{- range $suffix := prepend (include "hce-citus.standby-letters" $context | fromJsonArray) "" }}
{{- $pod := printf "citus-%s%s-%d" $group.role (ternary (printf "-%s" $suffix) "" (ne $suffix "")) (int $group.number) }}
{{- $members = append $members (dict "name" $pod "host" (printf "%s.citus-nodes.%s" $pod $domain) "port" 5432 "rest_port" 8008) }}
{{- end }}
{{- $groups = append $groups (dict "name" $group.name "host" (printf "%s.%s" $group.name $domain) "port" 5432 "members" $members) }}
{{- end }}
{{- toJson $groups }}
{{- end }}

{{- /*
The members of one group run on different Kubernetes nodes, in different zones if possible; all database pods apart if there
are enough nodes. That is an affinity, because Helm merges constraints by topologyKey: a second one would be lost.
*/}}
{{- define "hce-citus.group-spread" -}}
{{- $ := .context }}
{{- $role := .role }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 50
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              app.kubernetes.io/instance: {{ $.Release.Name }}
              hce-citus/node: "true"
topologySpreadConstraints:
{{- $required := ternary "DoNotSchedule" "ScheduleAnyway" (eq $.Values.ha.spread "required") }}
{{- range $key, $otherwise := dict "kubernetes.io/hostname" $required "topology.kubernetes.io/zone" "ScheduleAnyway" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $otherwise }}
    matchLabelKeys: [apps.kubernetes.io/pod-index]
    labelSelector:
      matchLabels:
        app.kubernetes.io/instance: {{ $.Release.Name }}
        hce-citus/part: {{ $role }}
{{- end }}
{{- end }}
