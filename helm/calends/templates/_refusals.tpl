{{/* Values that would start and then fail, or lose something. Each says what to do. */}}
{{- define "calends.refusals" -}}
{{- $settings := .Values.settings -}}
{{- $url := dig "ledger" "url" "" $settings -}}
{{- $volume := or .Values.ledger.volume.size .Values.ledger.volume.existingClaim -}}
{{- $found := list -}}

{{- if include "calends.sqlite" . -}}
{{- $otherwise := "For PostgreSQL name the Secret with its URL in ledger.urlSecret.name, or set settings.ledger.url." -}}
{{- if or .Values.keda.enabled (gt (int .Values.replicas) 1) -}}
{{- $found = append $found (printf "the ledger is SQLite, a file of one process, and there would be several replicas: set replicas: 1, and keda.enabled: false. %s" $otherwise) -}}
{{- end -}}
{{- if not $volume -}}
{{- $found = append $found (printf "the ledger is SQLite and would be lost with its pod: set ledger.volume.size, e.g. 5Gi, or ledger.volume.existingClaim. %s" $otherwise) -}}
{{- end -}}
{{- if and $url (not (hasPrefix "sqlite:////var/lib/calends/" $url)) -}}
{{- $found = append $found (printf "settings.ledger.url is %s, and the volume is at /var/lib/calends: leave it out, or say sqlite:////var/lib/calends/NAME.db." $url) -}}
{{- end -}}
{{- else if $volume -}}
{{- $found = append $found "ledger.volume is for SQLite, and the ledger is PostgreSQL: leave it out." -}}
{{- end -}}

{{- if regexMatch "://[^/@]*:[^/@]*@" $url -}}
{{- $found = append $found "settings.ledger.url holds a password, and the settings are a ConfigMap: put the URL into a Secret and name that in ledger.urlSecret.name." -}}
{{- end -}}
{{- if not (dig "kafka" "bootstrap_servers" "" $settings) -}}
{{- $found = append $found "settings.kafka.bootstrap_servers is missing: a pod has no Kafka of its own at localhost." -}}
{{- end -}}
{{- if eq (include "calends.adminPort" .) "0" -}}
{{- $found = append $found "settings.admin.port is 0, any free port, and probes need to know it: leave it out, or name one." -}}
{{- end -}}

{{- $given := len (compact (list (kindIs "slice" $settings.rules) (gt (len .Values.rules) 0) (ne .Values.existingRules ""))) -}}
{{- if kindIs "string" $settings.rules -}}
{{- $found = append $found (printf "settings.rules is %s, and the pods have no such file: leave it out and give the files in rules (--set-file rules.NAME\\.yaml=PATH), or name a ConfigMap of them in existingRules." $settings.rules) -}}
{{- else if ne $given 1 -}}
{{- $found = append $found (printf "rules are given in %d places: give them once, as files in rules (--set-file rules.NAME\\.yaml=PATH), in a ConfigMap that existingRules names, or as a list in settings.rules." $given) -}}
{{- end -}}

{{- if and .Values.webhooks.enabled (not (include "calends.hooked" .)) -}}
{{- $found = append $found "webhooks.enabled, and no destination has a webhook: name its secret at settings.destinations.NAME.webhook.secret, or leave webhooks off." -}}
{{- end -}}

{{- if .Values.keda.enabled -}}
{{- if lt (int .Values.keda.maxReplicas) (int .Values.keda.minReplicas) -}}
{{- $found = append $found (printf "keda.maxReplicas is %d and keda.minReplicas is %d: the first must not be below the second." (int .Values.keda.maxReplicas) (int .Values.keda.minReplicas)) -}}
{{- end -}}
{{- if and (hasPrefix "SASL" (dig "kafka" "security_protocol" "" $settings)) (not .Values.keda.triggerAuthentication) -}}
{{- $found = append $found "keda.enabled, and Kafka asks for a password: name a TriggerAuthentication with it in keda.triggerAuthentication." -}}
{{- end -}}
{{- end -}}

{{- if $found -}}
{{- fail (printf "\n\n  - %s\n" (join "\n  - " $found)) -}}
{{- end -}}
{{- end }}
