{{/* Name of every object: the release's, unless that does not say what it is. */}}
{{- define "imghost.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains (include "imghost.name" .) .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "imghost.name" .) | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "imghost.name" -}}
{{ .Values.nameOverride | default .Chart.Name }}
{{- end -}}

{{/* Name of a cluster-scoped object, or of one in a namespace that releases share: two releases of one name differ. */}}
{{- define "imghost.clusterName" -}}
{{ include "imghost.short" (printf "%s-%s" (include "imghost.operator" .) .Release.Namespace) }}
{{- end -}}

{{/* Where the Lease is: installations with cluster-wide rights share one for each class, the others have their own. */}}
{{- define "imghost.leaseNamespace" -}}
{{ ternary .Release.Namespace "default" (gt (len .Values.namespaces) 0) }}
{{- end -}}

{{- define "imghost.lease" -}}
imghost-operator{{ if ne .Values.operatorClass "default" }}-{{ .Values.operatorClass }}{{ end }}
{{- end -}}

{{/* A name of at most 55 characters: a longer one is cut and gets a hash of itself. */}}
{{- define "imghost.short" -}}
{{ if le (len .) 55 }}{{ . }}{{ else }}{{ . | trunc 44 }}-{{ . | sha256sum | trunc 10 }}{{ end }}
{{- end -}}

{{- define "imghost.operator" -}}
{{ include "imghost.fullname" . }}-operator
{{- end -}}

{{/* Of the mounted Secrets as an upgrade finds them; without a cluster, as in `helm template`, it is always the same. */}}
{{- define "imghost.secretsChecksum" -}}
{{- $data := dict -}}
{{- $names := .Values.images.pullSecrets -}}
{{- range concat .Values.databases .Values.stores -}}
{{- $names = append $names .secretName -}}
{{- end -}}
{{- range $names -}}
{{- $_ := set $data . (lookup "v1" "Secret" $.Release.Namespace .).data -}}
{{- end -}}
{{ toJson $data | sha256sum }}
{{- end -}}

{{- define "imghost.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "imghost.operator" .) }}
{{- end -}}

{{/* Labels that find pods, given (root, component). Immutable in a Deployment. */}}
{{- define "imghost.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "imghost.name" $root | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* All labels of an object, given (root, component). */}}
{{- define "imghost.labels" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.commonLabels -}}
{{ toYaml . }}
{{ end -}}
{{ include "imghost.selector" . }}
app.kubernetes.io/part-of: imghost
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Reference of an image, given (root, image): a digest wins over a tag, no tag means this release's. */}}
{{- define "imghost.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- with $root.Values.images.registry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default $root.Chart.AppVersion }}{{ end -}}
{{- end -}}

{{/* Security of a pod: what Pod Security "restricted" asks for; an entry that is null is left to the cluster. */}}
{{- define "imghost.podSecurity" -}}
{{- range $name, $value := .Values.podSecurityContext -}}
{{- if not (kindIs "invalid" $value) }}
{{ $name }}: {{ toJson $value }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "imghost.containerSecurity" -}}
{{- range $name, $value := .Values.securityContext -}}
{{- if not (kindIs "invalid" $value) }}
{{ $name }}: {{ toJson $value }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Where pods of the chart are scheduled, and with which rights to pull. */}}
{{- define "imghost.scheduling" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* IMGHOST_DATABASES: a JSON object by name; secrets are named by their mounted files. */}}
{{- define "imghost.databases" -}}
{{- $found := dict -}}
{{- range .Values.databases -}}
{{- if hasKey $found .name }}{{ fail (printf "databases: the name %s is there twice" .name) }}{{ end -}}
{{- $instance := dict "admin_url_file" (printf "/etc/imghost/databases/%s/url" .name) -}}
{{- with .publicHost }}{{ $_ := set $instance "public_host" . }}{{ end -}}
{{- with .networks }}{{ $_ := set $instance "networks" . }}{{ end -}}
{{- if .caKey }}{{ $_ := set $instance "ca_file" (printf "/etc/imghost/databases/%s/ca.crt" .name) }}{{ end -}}
{{- $_ := set $found .name $instance -}}
{{- end -}}
{{ $found | toJson }}
{{- end -}}

{{/* IMGHOST_STORES: likewise. */}}
{{- define "imghost.stores" -}}
{{- $found := dict -}}
{{- range .Values.stores -}}
{{- if hasKey $found .name }}{{ fail (printf "stores: the name %s is there twice" .name) }}{{ end -}}
{{- $folder := printf "/etc/imghost/stores/%s" .name -}}
{{- $store := dict "kind" "s3" "endpoint" .endpoint "bucket" .bucket "region" (.region | default "us-east-1") -}}
{{- $_ := set $store "access_key_file" (printf "%s/access-key" $folder) -}}
{{- $_ := set $store "secret_key_file" (printf "%s/secret-key" $folder) -}}
{{- with .publicEndpoint }}{{ $_ := set $store "public_endpoint" . }}{{ end -}}
{{- with .networks }}{{ $_ := set $store "networks" . }}{{ end -}}
{{- if .caKey }}{{ $_ := set $store "ca_file" (printf "%s/ca.crt" $folder) }}{{ end -}}
{{- $_ := set $found .name $store -}}
{{- end -}}
{{ $found | toJson }}
{{- end -}}

{{/* IMGHOST_PULL_SECRET_FILES: where the pull secrets are mounted. */}}
{{- define "imghost.pullSecretFiles" -}}
{{- $files := list -}}
{{- range .Values.images.pullSecrets -}}
{{- $files = append $files (printf "/etc/imghost/registries/%s.json" .) -}}
{{- end -}}
{{ $files | toJson }}
{{- end -}}

{{/* Labels and annotations of the parts of the pre-delete hook, given (root, weight). */}}
{{- define "imghost.uninstallMetadata" -}}
labels: {{- include "imghost.labels" (list (index . 0) "uninstall") | nindent 2 }}
annotations:
  helm.sh/hook: pre-delete
  helm.sh/hook-weight: {{ index . 1 | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
