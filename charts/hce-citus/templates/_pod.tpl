{{- /* The pod of the coordinator or of a worker. */}}
{{- define "hce-citus.postgres-pod" -}}
{{- $ := .context }}
{{ include "hce-citus.any-pod" $ }}
{{- if $.Values.ha.enabled }}
serviceAccountName: citus-patroni
serviceAccount: citus-patroni # Kubernetes sets this copy, which would stay after ha.enabled=false if it were not named
{{- end }}
terminationGracePeriodSeconds: {{ $.Values.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  runAsUser: 999
  runAsGroup: 999
  fsGroup: 999
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{ include (ternary "hce-citus.group-spread" "hce-citus.node-spread" $.Values.ha.enabled) . }}
containers:
  - {{- include "hce-citus.postgres-container" . | nindent 4 }}
volumes:
  - name: tmp
    emptyDir: {}
  - name: run
    emptyDir: {}
  - name: shm
    emptyDir:
      medium: Memory
      sizeLimit: {{ $.Values.sharedMemory }}
  {{- if $.Values.ha.enabled }}
  - name: patroni
    configMap:
      name: citus-patroni
  {{- include "hce-citus.token-volume" $ | nindent 2 }}
  {{- end }}
  {{- if $.Values.tls.enabled }}
  - name: tls
    secret:
      secretName: {{ include "hce-citus.tls-secret" $ }}
      defaultMode: 0440
  {{- end }}
{{- end }}

{{- /* One pod on each Kubernetes node, if there are enough nodes. */}}
{{- define "hce-citus.node-spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        app.kubernetes.io/instance: {{ .context.Release.Name }}
        hce-citus/node: "true"
{{- end }}
