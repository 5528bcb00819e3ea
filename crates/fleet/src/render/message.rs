//! What people read: Alertmanager's templates. A label's value is somebody else's text: it stays one line of bounded
//! length, without control characters, and where a destination has a markup, without that.

use super::yaml;

/// How many alerts of a group one message tells in full.
const ALERTS_MAX: &str = "10";

/// Text of one line: neither line breaks nor what turns the direction of writing; nor braces that begin an action, since
/// Alertmanager's PagerDuty takes what a template gave for a template again.
const PLAIN: &str = r#"{{ define "lifeboat.plain" -}}
{{- . | CLEAN -}}
{{- end }}
"#;

/// The same, without Slack's markup: `<!channel>` would wake everybody, `<https://…|runbook>` would lie.
const SLACK: &str = r#"{{ define "lifeboat.slack.plain" -}}
{{- . | CLEAN | reReplaceAll "&" "&amp;" | reReplaceAll "<" "&lt;" | reReplaceAll ">" "&gt;" -}}
{{- end }}
"#;

const CLEAN: &str = r#"reReplaceAll "[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]+" " " | reReplaceAll "[{]{2,}" "{ {" | reReplaceAll "^(.{400}).+$" "${1}…""#;

const SMALL: &str = r#"{{ define "lifeboat.alert" }}{{ template "lifeboat.plain" .GroupLabels.alertname }}{{ end }}
{{ define "lifeboat.fleet" }}{{ template "lifeboat.plain" .GroupLabels.fleet }}{{ end }}
{{ define "lifeboat.runbook" }}{{ with .CommonAnnotations.runbook_url }}{{ if match "^https?://" . }}{{ template "lifeboat.plain" . }}{{ end }}{{ end }}{{ end }}
{{ define "lifeboat.pagerduty.severity" -}}
{{- if eq .CommonLabels.severity "P0" }}critical{{ else if eq .CommonLabels.severity "P1" }}error{{ else if eq .CommonLabels.severity "P2" }}warning{{ else }}info{{ end -}}
{{- end }}
{{ define "lifeboat.targets" -}}
{{- if eq . "P0" }}Respond within 15 minutes, resolve within 2 hours.
{{- else if eq . "P1" }}Respond within 1 hour, resolve within 4 hours.
{{- else if eq . "P2" }}Respond within 4 hours, resolve within 24 hours.
{{- else if eq . "P3" }}Respond within 24 hours, resolve within a week.
{{- end -}}
{{- end }}
"#;

/// The title, what stands below it, and both, once for each way of writing plain text.
const MESSAGE: &str = r#"{{ define "NAME.title" -}}
{{- with .CommonLabels.severity }}{{ template "NAME.plain" . }} {{ end -}}
{{- if .Alerts.Firing }}FIRING{{ if gt (len .Alerts.Firing) 1 }} x{{ len .Alerts.Firing }}{{ end }}{{ else }}RESOLVED{{ end -}}
{{- with .GroupLabels.fleet }} {{ template "NAME.plain" . }}{{ end -}}
{{- with .CommonLabels.node }} {{ template "NAME.plain" . }}{{ end -}}
{{- with .GroupLabels.alertname }} {{ template "NAME.plain" . }}{{ end -}}
{{- if .Alerts.Firing }}{{ with index .Alerts.Firing 0 }}{{ with .Annotations.summary }}: {{ template "NAME.plain" . }}{{ end }}{{ end }}
{{- else }}{{ with index .Alerts.Resolved 0 }}{{ with .Annotations.summary }}: was: {{ template "NAME.plain" . }}{{ end }}{{ end }}{{ end -}}
{{- end }}
{{ define "NAME.body" -}}
{{- if .Alerts.Firing }}{{ with .CommonLabels.severity }}{{ template "lifeboat.targets" . }}{{ end }}{{ end }}
{{- with .CommonLabels.owner }}
Owner: {{ template "NAME.plain" . }}{{ end }}
{{ range $number, $alert := .Alerts.Firing }}{{ if lt $number MAX }}
{{- if gt (len $.Alerts.Firing) 1 }}
{{ with .Annotations.summary }}{{ template "NAME.plain" . }}{{ else }}{{ template "NAME.plain" .Labels.alertname }}{{ end }}
{{- end }}
{{- with .Annotations.description }}
{{ template "NAME.plain" . }}
{{- end }}
{{- with .Labels.node }}
Node: {{ template "NAME.plain" . }}{{ with $alert.Labels.dc }} in {{ template "NAME.plain" . }}{{ end }}{{ end }}
Since: {{ .StartsAt.UTC.Format "2006-01-02 15:04:05 UTC" }}
{{- with .Annotations.runbook_url }}
Runbook: {{ template "NAME.plain" . }}{{ end }}
{{- with .Annotations.dashboard_url }}
Dashboard: {{ template "NAME.plain" . }}{{ end }}
{{- with .Annotations.logs_url }}
Logs: {{ template "NAME.plain" . }}{{ end }}
{{- with .Annotations.reports_url }}
Reports: {{ template "NAME.plain" . }}{{ end }}
{{ end }}{{ end -}}
{{- if gt (len .Alerts.Firing) MAX }}
And more: {{ len .Alerts.Firing }} in all.
{{ end -}}
{{- if .Alerts.Resolved }}
Over:
{{ range $number, $alert := .Alerts.Resolved }}{{ if lt $number MAX }}{{ with $alert.Annotations.summary }}{{ template "NAME.plain" . }}{{ else }}{{ template "NAME.plain" $alert.Labels.alertname }}{{ end }}
{{ end }}{{ end }}{{ end -}}
{{- end }}
{{ define "NAME.text" }}{{ template "NAME.title" . }}
{{ template "NAME.body" . }}{{ end }}
"#;

/// The text of `lifeboat.tmpl`.
pub(super) fn templates() -> String {
    let head = format!("{{{{/* {} */}}}}\n", yaml::HEAD.trim_start_matches("# ").trim_end());
    let message = |name: &str| MESSAGE.replace("NAME", name).replace("MAX", ALERTS_MAX);
    [
        head.as_str(),
        &PLAIN.replace("CLEAN", CLEAN),
        &SLACK.replace("CLEAN", CLEAN),
        SMALL,
        &message("lifeboat"),
        &message("lifeboat.slack"),
    ]
    .concat()
}
