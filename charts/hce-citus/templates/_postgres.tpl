{{- /*
The StatefulSet of the coordinator or the workers; they differ in name, volume, resources and replicas. The
StatefulSets of the standbys have the same name with a `letter` at its end. With standbys, the registrar replaces the pods.
*/}}
{{- define "hce-citus.postgres-set" -}}
{{- $ := .context }}
{{- $name := printf "%s%s" .role (ternary (printf "-%s" .letter) "" (ne (.letter | default "") "")) }}
{{- $selector := dict "context" $ "role" $name }}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: citus-{{ $name }}
  namespace: {{ include "hce-citus.namespace" $ }}
  labels:
    {{- include "hce-citus.labels" $selector | nindent 4 }}
spec:
  serviceName: citus-nodes
  replicas: {{ .replicas }}
  podManagementPolicy: Parallel
  {{- if $.Values.ha.enabled }}
  updateStrategy:
    type: OnDelete
    rollingUpdate: null # removes Kubernetes' default from a StatefulSet that had none of this
  {{- end }}
  selector:
    matchLabels:
      {{- include "hce-citus.selector" $selector | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "hce-citus.selector" $selector | nindent 8 }}
        hce-citus/node: "true"
        {{- if $.Values.ha.enabled }}
        hce-citus/part: {{ .role }}
        {{- end }}
    spec:
      {{- include "hce-citus.postgres-pod" . | nindent 6 }}
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .values.storage.className }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests:
            storage: {{ .values.storage.sizeGi }}Gi
{{- end }}
