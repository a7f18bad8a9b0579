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
  - name: HCE_COORDINATOR
    value: {{ include "hce-citus.coordinator-host" $ }}
  - name: HCE_TIME_ZONE
    value: {{ $.Values.timeZone }}
  {{- if $.Values.ha.enabled }}
  - name: PATRONI_NAME
    valueFrom:
      fieldRef: {fieldPath: metadata.name}
  - name: PATRONI_KUBERNETES_NAMESPACE
    valueFrom:
      fieldRef: {fieldPath: metadata.namespace}
  - name: PATRONI_KUBERNETES_POD_IP
    valueFrom:
      fieldRef: {fieldPath: status.podIP}
  {{- end }}
ports:
  - name: postgres
    containerPort: 5432
  {{- if $.Values.ha.enabled }}
  - name: patroni
    containerPort: 8008
  {{- end }}
securityContext:
  {{- include "hce-citus.container-security" $ | nindent 2 }}
{{- with .values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{ include (ternary "hce-citus.patroni-probes" "hce-citus.probes" $.Values.ha.enabled) $ }}
volumeMounts:
  - {name: data, mountPath: /var/lib/postgresql/data}
  - {name: tmp, mountPath: /tmp}
  - {name: run, mountPath: /var/run/postgresql}
  - {name: shm, mountPath: /dev/shm}
  {{- if $.Values.ha.enabled }}
  - {name: patroni, mountPath: /etc/hce/patroni, readOnly: true}
  {{- include "hce-citus.token-mount" $ | nindent 2 }}
  {{- end }}
  {{- if $.Values.tls.enabled }}
  - {name: tls, mountPath: /etc/hce/tls, readOnly: true}
  {{- end }}
{{- end }}
