{{- /* The pod of the registrar and of `helm test`: the same image with different arguments. */}}
{{- define "hce-citus.registrar-pod" -}}
{{- $ := .context }}
restartPolicy: Never
{{ include "hce-citus.any-pod" $ }}
{{- if $.Values.ha.enabled }}
serviceAccountName: citus-registrar
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  seccompProfile:
    type: RuntimeDefault
containers:
  - name: pyhce
    image: {{ include "hce-citus.registrar-image" $ }}
    imagePullPolicy: {{ $.Values.images.pullPolicy }}
    args:
      {{- toYaml .args | nindent 6 }}
    env:
      - {name: PYHCE_DSN, value: {{ printf "host=%s user=postgres dbname=hce_distribuida" (include "hce-citus.coordinator-host" $) | quote }}}
      - {name: PYHCE_WORKERS, value: {{ include "hce-citus.worker-hosts" $ | quote }}}
      - {name: HCE_TIME_ZONE, value: {{ $.Values.timeZone | quote }}}
      {{- if $.Values.ha.enabled }}
      - {name: PYHCE_COORDINATOR, value: {{ include "hce-citus.coordinator-host" $ | quote }}}
      - {name: PYHCE_HA, value: /etc/hce/patroni/ha.json}
      {{- if $.Values.ha.reads }}
      - {name: PYHCE_SECONDARIES, value: {{ include "hce-citus.secondaries" $ | quote }}}
      {{- end }}
      {{- end }}
      {{- range $variable, $key := dict "PGPASSWORD" "postgres-password" "PYHCE_APP_PASSWORD" "app-password" "PYHCE_READONLY_PASSWORD" "readonly-password" }}
      - name: {{ $variable }}
        valueFrom:
          secretKeyRef:
            name: {{ include "hce-citus.secret" $ }}
            key: {{ $key }}
      {{- end }}
      {{- if $.Values.tls.enabled }}
      - {name: PGSSLMODE, value: {{ $.Values.tls.nodes }}}
      - {name: PGSSLROOTCERT, value: /etc/hce/tls/ca.crt}
      {{- end }}
    securityContext:
      {{- include "hce-citus.container-security" $ | nindent 6 }}
    {{- with $.Values.registrar.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- if or $.Values.tls.enabled $.Values.ha.enabled }}
    volumeMounts:
      {{- include "hce-citus.registrar-mounts" $ | nindent 6 }}
volumes:
  {{- include "hce-citus.registrar-volumes" $ | nindent 2 }}
    {{- end }}
{{- end }}
