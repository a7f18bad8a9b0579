{{- /* The StatefulSet of the coordinator or the workers; they differ in name, volume, resources and replicas. */}}
{{- define "hce-citus.postgres-set" -}}
{{- $ := .context }}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: citus-{{ .role }}
  namespace: {{ include "hce-citus.namespace" $ }}
  labels:
    {{- include "hce-citus.labels" . | nindent 4 }}
spec:
  serviceName: citus-nodes
  replicas: {{ .replicas }}
  podManagementPolicy: Parallel
  selector:
    matchLabels:
      {{- include "hce-citus.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "hce-citus.selector" . | nindent 8 }}
        hce-citus/node: "true"
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
