{{- define "calends.name" -}}
{{- $name := ternary .Release.Name (printf "%s-calends" .Release.Name) (contains "calends" .Release.Name) -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "calends.selector" -}}
app.kubernetes.io/name: calends
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "calends.labels" -}}
{{ include "calends.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "calends.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}
