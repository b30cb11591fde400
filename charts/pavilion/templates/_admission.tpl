{{/* Whom the policies leave alone, as conditions of when they apply. */}}

{{- define "pavilion.notTheOperator" -}}
- name: not-the-operator
  expression: request.userInfo.username != '{{ include "pavilion.operatorUser" . }}'
{{- end -}}

{{/* The cluster's own controllers, under the names that they have with accounts of their own or without. */}}
{{- define "pavilion.notTheCluster" -}}
- name: not-the-cluster
  expression: >-
    !(request.userInfo.username in {{ include "pavilion.ofTheCluster" . }})
{{- end -}}

{{/* And they alone. */}}
{{- define "pavilion.theCluster" -}}
- name: the-cluster
  expression: >-
    request.userInfo.username in {{ include "pavilion.ofTheCluster" . }}
{{- end -}}

{{- define "pavilion.ofTheCluster" -}}
{{- $controllers := list "generic-garbage-collector" "namespace-controller" "statefulset-controller" "job-controller" "ttl-after-finished-controller" "pod-garbage-collector" "node-controller" "taint-eviction-controller" "persistent-volume-binder" "pvc-protection-controller" -}}
{{- $users := list "system:kube-controller-manager" "system:kube-scheduler" -}}
{{- range $controllers -}}
{{- $users = append $users (printf "system:serviceaccount:kube-system:%s" .) -}}
{{- end -}}
{{- concat $users .Values.admissionPolicies.exemptUsers | toJson -}}
{{- end -}}

{{- define "pavilion.glassIsWhole" -}}
- name: the-glass-is-whole
  expression: >-
    !request.userInfo.groups.exists(group, group in {{ .Values.admissionPolicies.breakGlassGroups | toJson }})
{{- end -}}

{{/* What a refusal tells how to go on. */}}
{{- define "pavilion.howToGoOn" -}}
{{- with .Values.admissionPolicies.breakGlassGroups -}}
; in an emergency act as the group {{ first . }}
{{- end -}}
{{- end -}}

{{/* A namespace that the operator made or took on for a tenant. */}}
{{- define "pavilion.tenantNamespaces" -}}
matchLabels:
  app.kubernetes.io/managed-by: pavilion-operator
matchExpressions:
- {key: pavilion.dev/tenant, operator: Exists}
{{- end -}}

{{/* The binding of a policy. Takes (list . "name"). */}}
{{- define "pavilion.binding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ index . 1 }}
  labels:
    {{- include "pavilion.labels" (list (index . 0) "operator") | nindent 4 }}
spec:
  policyName: {{ index . 1 }}
  validationActions: [Deny, Audit]
{{- end -}}
