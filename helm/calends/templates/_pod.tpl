{{/* What every pod of the chart has. The argument: `root`, the chart's own scope. */}}
{{- define "calends.podSpec" -}}
{{- with .root -}}
serviceAccountName: {{ include "calends.name" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* One pod on each node, and in each zone, before a second one. The argument: `root`, `component`. */}}
{{- define "calends.spread" -}}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "calends.selector" $.root | nindent 8 }}
        app.kubernetes.io/component: {{ $.component }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}

{{/* What every container has. The argument: `root`, `secret` (its name, or empty), `folders` (Secrets), `ledger` (whether it has one). */}}
{{- define "calends.container" -}}
image: {{ include "calends.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  - {name: CALENDS_CONFIG, value: /etc/calends/settings}
  # What listens is asked from outside the pod, whatever the settings say for other places.
  - {name: CALENDS_ADMIN__HOST, value: 0.0.0.0}
  - {name: CALENDS_WEBHOOKS__HOST, value: 0.0.0.0}
  {{- with .root.Values.ledger.urlSecret }}
  {{- if and .name $.ledger }}
  - name: CALENDS_LEDGER__URL
    valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .key }}}}
  {{- end }}
  {{- end }}
  {{- range $name, $value := .root.Values.env }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
  {{- end }}
{{- with .secret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
volumeMounts:
  - {name: settings, mountPath: /etc/calends/settings, readOnly: true}
  {{- if include "calends.rules" .root }}
  - {name: rules, mountPath: /etc/calends/rules, readOnly: true}
  {{- end }}
  - {name: tmp, mountPath: /tmp}
  {{- range $index, $secret := .folders }}
  - {name: secret-{{ $index }}, mountPath: /run/secrets/{{ $secret }}, readOnly: true}
  {{- end }}
{{- end }}

{{/* The argument: `root`, `folders`. ConfigMaps are whole folders, so that rules that change are seen. */}}
{{- define "calends.volumes" -}}
- name: settings
  configMap: {name: {{ include "calends.name" .root }}}
{{- with include "calends.rules" .root }}
- name: rules
  configMap: {name: {{ . }}}
{{- end }}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- range $index, $secret := .folders }}
- name: secret-{{ $index }}
  secret: {secretName: {{ $secret }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{/* The pod of the migration. */}}
{{- define "calends.migrate" -}}
restartPolicy: Never
{{ include "calends.podSpec" (dict "root" .) }}
containers:
  - name: migrate
    args: [migrate]
    {{- include "calends.container" (dict "root" . "secret" .Values.existingSecret "folders" .Values.mountedSecrets "ledger" true) | nindent 4 }}
    resources:
      requests: {cpu: 100m, memory: 128Mi}
      limits: {memory: 256Mi}
volumes:
  {{- include "calends.volumes" (dict "root" . "folders" .Values.mountedSecrets) | nindent 2 }}
{{- end }}
