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
ports:
  - name: postgres
    containerPort: 5432
securityContext:
  {{- include "hce-citus.container-security" $ | nindent 2 }}
{{- with .values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{ include "hce-citus.probes" $ }}
volumeMounts:
  - {name: data, mountPath: /var/lib/postgresql/data}
  - {name: tmp, mountPath: /tmp}
  - {name: run, mountPath: /var/run/postgresql}
  - {name: shm, mountPath: /dev/shm}
  {{- if $.Values.tls.enabled }}
  - {name: tls, mountPath: /etc/hce/tls, readOnly: true}
  {{- end }}
{{- end }}
