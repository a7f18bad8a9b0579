{{- /* A ServiceAccount without a mounted token, and a Role of the same name with these rules. */}}
{{- define "hce-citus.account" -}}
{{- $namespace := include "hce-citus.namespace" .context }}
{{- $metadata := printf "name: %s\nnamespace: %s\nlabels:\n  %s" .name $namespace (include "hce-citus.labels" . | nindent 2 | trim) }}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- $metadata | nindent 2 }}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- $metadata | nindent 2 }}
rules:
  {{- toYaml .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- $metadata | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .name }}
    namespace: {{ $namespace }}
{{- end }}
