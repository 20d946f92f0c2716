{{- define "tidings.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "tidings.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "tidings.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "tidings.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tidings.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tidings.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tidings.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "tidings.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "tidings.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tidings.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "tidings.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The part of a listen value before the port: the pod's loopback in development mode. */}}
{{- define "tidings.bind" -}}
{{- if eq .Values.mode "development" -}}localhost{{- else -}}{{ .Values.bindAddress }}{{- end -}}
{{- end -}}

{{/* The port that the sidecar delivers to. */}}
{{- define "tidings.appPort" -}}
{{- if eq .Values.mode "development" -}}{{ .Values.gateways.tasks.port }}{{- else -}}{{ .Values.dapr.ingestPort }}{{- end -}}
{{- end -}}

{{/*
One probe's way of asking. In development mode the listeners are on the pod's loopback, which the kubelet does not reach, so
the asking is done inside.
*/}}
{{- define "tidings.probe" -}}
{{- if eq .root.Values.mode "development" -}}
exec:
  command: [/usr/local/bin/tidings, healthcheck, {{ printf "http://localhost:%v%s" .root.Values.operators.port .path | quote }}]
{{- else -}}
httpGet:
  path: {{ .path }}
  port: operators
{{- end -}}
{{- end -}}

{{/* Refuses what would start and then refuse to serve. */}}
{{- define "tidings.check" -}}
{{- if eq .Values.mode "production" -}}
{{- if not .Values.auth.jwt.secret.name -}}
{{- fail "auth.jwt.secret.name is required in production mode: kubectl create secret generic tidings --from-literal=jwt-secret=$(openssl rand -hex 32)" -}}
{{- end -}}
{{- if not .Values.origins.allowed -}}
{{- fail "origins.allowed is required in production mode: the web pages that may connect, such as https://app.example.com" -}}
{{- end -}}
{{- end -}}
{{- if le (mul (int .Values.terminationGracePeriodSeconds) 1000) (add (mul (int .Values.preStopSleepSeconds) 1000) (int .Values.drainTimeoutMs)) -}}
{{- fail "terminationGracePeriodSeconds must be longer than preStopSleepSeconds and drainTimeoutMs together" -}}
{{- end -}}
{{- end -}}
