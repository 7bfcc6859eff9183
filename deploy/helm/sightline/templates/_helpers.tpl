{{- define "sightline.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "sightline.labels" -}}
app.kubernetes.io/name: sightline
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* Labels by which pods are found; never changed, a Deployment's selector cannot be. */}}
{{- define "sightline.gateway" -}}
app.kubernetes.io/name: sightline
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "sightline.pool" -}}
app.kubernetes.io/name: sightline
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: pool
sightline/lane: {{ .lane | quote }}
{{- end -}}

{{- define "sightline.poolName" -}}
{{- printf "%s-pool-%s" (include "sightline.name" .root) (lower .lane) -}}
{{- end -}}

{{- define "sightline.user" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "sightline.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* What the replicas of a lane have to do, in tokens: what runs and what waits, over all gateways. */}}
{{- define "sightline.work" -}}
sum(sightline_lane_waiting_tokens{namespace="{{ .root.Release.Namespace }}",service="{{ include "sightline.name" .root }}",lane="{{ .lane }}"}) + sum(sightline_lane_running_tokens{namespace="{{ .root.Release.Namespace }}",service="{{ include "sightline.name" .root }}",lane="{{ .lane }}"})
{{- end -}}

{{- define "sightline.wait" -}}
max(sightline_lane_predicted_wait_seconds{namespace="{{ .root.Release.Namespace }}",service="{{ include "sightline.name" .root }}",lane="{{ .lane }}"})
{{- end -}}

{{- define "sightline.behavior" -}}
scaleUp:
  stabilizationWindowSeconds: {{ .up.windowSeconds }}
  selectPolicy: Max
  policies:
    - {type: Percent, value: {{ .up.percent }}, periodSeconds: {{ .up.periodSeconds }}}
    - {type: Pods, value: {{ .up.pods }}, periodSeconds: {{ .up.periodSeconds }}}
scaleDown:
  stabilizationWindowSeconds: {{ .down.windowSeconds }}
  selectPolicy: Max
  policies:
    - {type: Percent, value: {{ .down.percent }}, periodSeconds: {{ .down.periodSeconds }}}
    - {type: Pods, value: 1, periodSeconds: {{ .down.periodSeconds }}}
{{- end -}}
