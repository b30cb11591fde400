{{/* There is one Pavilion in a cluster, so names are fixed: what is installed twice collides at once. */}}

{{- define "pavilion.region" -}}
{{- required "region.name is required: name the region this cluster is, like --set region.name=eu-central" .Values.region.name -}}
{{- end -}}

{{/* What a component's pods are found by. Takes (list . "component"). */}}
{{- define "pavilion.selector" -}}
app.kubernetes.io/name: pavilion
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The labels of everything. Takes (list . "component"). */}}
{{- define "pavilion.labels" -}}
{{- $root := index . 0 -}}
{{ include "pavilion.selector" . }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{/* The image of a program. Takes (list . "program"). */}}
{{- define "pavilion.image" -}}
{{- $root := index . 0 -}}
{{- $program := index . 1 -}}
{{- $images := $root.Values.images -}}
{{- with index $images.digests $program -}}
{{- printf "%s/%s@%s" $images.registry $program . -}}
{{- else -}}
{{- printf "%s/%s:%s" $images.registry $program (default $root.Chart.AppVersion $images.tag) -}}
{{- end -}}
{{- end -}}

{{/* The namespace of the neighbour. The operator looks for it under this name. */}}
{{- define "pavilion.neighbourhood" -}}
{{ .Release.Namespace }}-neighbour
{{- end -}}

{{/* The Gateway before the edge, as the operator is told of it; empty where there is none. */}}
{{- define "pavilion.gateway" -}}
{{- $gateway := .Values.router.gateway -}}
{{- if $gateway.name -}}
{{- default .Release.Namespace $gateway.namespace -}}/{{- $gateway.name -}}
{{- with $gateway.sectionName -}}/{{- . -}}{{- end -}}
{{- else if or $gateway.namespace $gateway.sectionName -}}
{{- fail "router.gateway.name is required where router.gateway says anything: name the Gateway that stands before the edge" -}}
{{- end -}}
{{- end -}}

{{/* The operator, as the API server calls it. */}}
{{- define "pavilion.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:pavilion-operator
{{- end -}}
