{{/*
Begin of a policy about requests of the operator, given (root, suffix of the name, rules of which requests match). Each
rule is a map; versions are always all, and operations are create and update where none are given.
*/}}
{{- define "imghost.policy" -}}
{{- $root := index . 0 -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{- include "imghost.policyMetadata" . | nindent 2 }}
spec:
  policyName: {{ include "imghost.policyName" . }}
  validationActions: [Deny]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{- include "imghost.policyMetadata" . | nindent 2 }}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      {{- range index . 2 }}
      - apiGroups: [{{ .group | quote }}]
        apiVersions: ["*"]
        operations: {{ .operations | default "[CREATE, UPDATE]" }}
        resources: {{ .resources }}
      {{- end }}
  matchConditions:
    - name: the-operator
      expression: request.userInfo.username == "system:serviceaccount:{{ $root.Release.Namespace }}:{{ include "imghost.serviceAccount" $root }}"
{{- end -}}

{{- define "imghost.policyName" -}}
{{ include "imghost.short" (printf "%s-%s" (include "imghost.clusterName" (index . 0)) (index . 1)) }}
{{- end -}}

{{- define "imghost.policyMetadata" -}}
name: {{ include "imghost.policyName" . }}
labels: {{- include "imghost.labels" (list (index . 0) "operator") | nindent 2 }}
{{- end -}}

{{/* Environment variables by which the interpreter, the loader or a library would run other code. */}}
{{- define "imghost.loaderVariables" -}}
^(?i)(GCONV_|GIO_|GLIBC_|KRB5|LD_|LIBHEIF_|MAGICK_|OPENSSL_|PYTHON|(PATH|HOME|VIPSHOME)$)
{{- end -}}

{{/* The Secrets and ConfigMaps that the operator makes for a tenant, as CEL. Files of pods are never from these. */}}
{{- define "imghost.ownSecrets" -}}
["api-signing", "database-api", "database-imaging", "database-owner", "internal", "registries", "storage", "storage-imaging"]
{{- end -}}

{{- define "imghost.ownConfigMaps" -}}
["api", "backend-authorities", "imaging", "worker"]
{{- end -}}

{{/* References of images that pods of tenants may have: those of the release, and those of the values. */}}
{{- define "imghost.allowedImages" -}}
{{- $registry := "" -}}
{{- with .Values.images.registry }}{{ $registry = printf "%s/" (trimSuffix "/" .) }}{{ end -}}
{{- $repositories := list -}}
{{- range list (printf "%s%s" $registry .Values.images.api.repository) (printf "%s%s" $registry .Values.images.imaging.repository) -}}
{{- $repositories = append $repositories (regexQuoteMeta .) -}}
{{- end -}}
{{- range .Values.admissionPolicy.images -}}
{{- $repositories = append $repositories (printf "%s%s" (regexQuoteMeta .) (ternary "[a-z0-9._/-]+" "" (hasSuffix "/" .))) -}}
{{- end -}}
^({{ join "|" $repositories }})(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?(@sha256:[0-9a-f]{64})?$
{{- end -}}

{{/* The tenant that a request is about, as CEL, by the name of the namespace. */}}
{{- define "imghost.tenantOfRequest" -}}
(request.namespace.startsWith("imghost-") ? request.namespace.substring(8) : "")
{{- end -}}
