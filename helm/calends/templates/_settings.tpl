{{/* What the chart reads out of the settings, so that nothing is said twice. */}}

{{/* calends.yaml as the pods find it. */}}
{{- define "calends.settings" -}}
{{- $settings := deepCopy .Values.settings -}}
{{- if not (hasKey $settings "rules") -}}
{{- $_ := set $settings "rules" "/etc/calends/rules" -}}
{{- end -}}
{{- if and (include "calends.sqlite" .) (not (dig "ledger" "url" "" $settings)) -}}
{{- $_ := set $settings "ledger" (merge (dict "url" "sqlite:////var/lib/calends/calends.db") (dig "ledger" (dict) $settings)) -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end }}

{{/* The ConfigMap of the rule files; nothing where the rules stand in the settings. */}}
{{- define "calends.rules" -}}
{{- if .Values.existingRules -}}{{ .Values.existingRules }}
{{- else if .Values.rules -}}{{ include "calends.name" . }}-rules
{{- end -}}
{{- end }}

{{/* "yes", or nothing. */}}
{{- define "calends.sqlite" -}}
{{- if not (or .Values.ledger.urlSecret.name (hasPrefix "postgresql" (dig "ledger" "url" "" .Values.settings))) -}}yes{{- end -}}
{{- end }}

{{- define "calends.adminPort" -}}{{ dig "admin" "port" 8080 .Values.settings }}{{- end }}
{{- define "calends.webhookPort" -}}{{ dig "webhooks" "port" 8081 .Values.settings }}{{- end }}

{{/* Whole seconds of `grace_period`, with the four that the good-bye to Kafka may take. */}}
{{- define "calends.grace" -}}
{{- $given := dig "grace_period" "8s" .Values.settings | toString -}}
{{- $factor := get (dict "ms" 0.001 "s" 1 "m" 60 "min" 60 "h" 3600 "d" 86400) (regexFind "[a-z]+$" $given | default "s") -}}
{{- mulf (regexFind "^[0-9.]+" $given | float64) $factor | ceil | int | add 4 -}}
{{- end }}

{{/* The destinations that vendors post to, with blanks between. */}}
{{- define "calends.hooked" -}}
{{- $found := list -}}
{{- range $name, $destination := .Values.settings.destinations -}}
{{- if $destination.webhook -}}{{- $found = append $found $name -}}{{- end -}}
{{- end -}}
{{- join " " $found -}}
{{- end }}
