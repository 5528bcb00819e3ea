//! How often things happen, where the engines are, and what people open.

use std::path::{Component, Path};

use toml::de::DeValue;

use super::{absolute, address_of, host_and_port, plain_name};
use crate::duration::Duration;
use crate::inventory::form::Form;
use crate::inventory::{Alertmanager, Engines, Intervals, Links, Prometheus, Version, address};

/// Prometheus forgets a series that was not scraped for five minutes.
const SCRAPE_MAX: Duration = Duration::from_seconds(120);
const WAIT_MAX: Duration = Duration::from_seconds(3600);
const SECOND: Duration = Duration::from_seconds(1);
const DAY: Duration = Duration::from_seconds(86_400);
/// Ten years.
const RETENTION_MAX: Duration = Duration::from_seconds(3650 * 86_400);

pub(super) fn intervals(form: &Form<'_>) -> Intervals {
    let mut intervals = Intervals::default();
    let Some(form) = form.table("intervals", "[intervals]") else { return intervals };
    let set = |key, place: &mut Duration, most: Duration| {
        replace(place, form.duration(key, SECOND..=most));
    };
    set("scrape", &mut intervals.scrape, SCRAPE_MAX);
    set("evaluation", &mut intervals.evaluation, SCRAPE_MAX);
    set("group_wait", &mut intervals.group_wait, WAIT_MAX);
    set("group_interval", &mut intervals.group_interval, WAIT_MAX);
    set("repeat", &mut intervals.repeat, Duration::from_seconds(7 * 86_400));
    form.finish();
    intervals
}

pub(super) fn links(form: &Form<'_>) -> Links {
    let Some(form) = form.table("links", "[links]") else { return Links::default() };
    let link = |key| {
        let text = form.text(key)?;
        if address::is_secret_url(text.get_ref()) {
            // Links stand in rules and in messages; the address is not shown again.
            let what = format!("`{key}` bears a key or a password: everybody who is told would read it");
            let remedy =
                "leave the key out, and let people log in; of a repository, name a branch, not a commit";
            form.paper.refuse(text.span(), what, remedy);
        } else if let Some(remedy) = address::wrong_url(text.get_ref()) {
            form.paper.refuse(text.span(), format!("`{key}` is no web address"), remedy);
        }
        Some(text.get_ref().trim_end_matches('/').to_owned())
    };
    let links = Links {
        grafana: link("grafana"),
        prometheus: link("prometheus"),
        alertmanager: link("alertmanager"),
        runbooks: link("runbooks"),
        logs: link("logs"),
        reports: link("reports"),
    };
    form.finish();
    links
}

pub(super) fn read(form: &Form<'_>) -> Engines {
    let mut engines = Engines::default();
    if let Some(form) = form.table("prometheus", "[prometheus]") {
        prometheus(form, &mut engines.prometheus);
    }
    if let Some(form) = form.table("alertmanager", "[alertmanager]") {
        alertmanager(form, &mut engines.alertmanager);
    }
    if let Some(form) = form.table("exporters", "[exporters]") {
        replace(&mut engines.blackbox.address, host_and_port(&form, "blackbox"));
        form.finish();
    }
    if let Some(form) = form.table("grafana", "[grafana]") {
        replace(&mut engines.grafana.folder, form.plain("folder"));
        engines.grafana.datasource = plain_name(&form, "datasource");
        form.finish();
    }
    engines
}

fn prometheus(form: Form<'_>, prometheus: &mut Prometheus) {
    replace(&mut prometheus.address, host_and_port(&form, "address"));
    prometheus.version = version(&form, Version { major: 2, minor: 42 });
    replace(&mut prometheus.retention, form.duration("retention", DAY..=RETENTION_MAX));
    let files = form.texts("scrape_files");
    let since = Version { major: 2, minor: 43 };
    if let Some(first) = files.first().filter(|_| prometheus.version.is_some_and(|version| version < since)) {
        let what = format!("`scrape_files` asks for Prometheus {since}");
        form.paper.refuse(first.span(), what, "leave it out, or install a newer one");
    }
    prometheus.scrape_files = files.iter().filter_map(|path| absolute(&form, path)).collect();
    form.finish();
}

fn alertmanager(form: Form<'_>, alertmanager: &mut Alertmanager) {
    let addresses = form.texts("address");
    let addresses: Vec<_> = addresses.iter().filter_map(|text| address_of(&form, "address", text)).collect();
    if !addresses.is_empty() {
        alertmanager.addresses = addresses;
    }
    alertmanager.version = version(&form, Version { major: 0, minor: 25 });
    let folder = form.text("secrets_dir");
    if let Some(path) =
        folder.as_ref().filter(|path| path.get_ref().starts_with('/') && !is_own_folder(path.get_ref()))
    {
        let what = format!("`secrets_dir` {:?} is no folder of its own", path.get_ref());
        form.paper.refuse(
            path.span(),
            what,
            "name one that holds secrets alone, as \"/etc/alertmanager/secrets\"",
        );
    }
    replace(&mut alertmanager.secrets_dir, folder.and_then(|path| absolute(&form, &path)));
    form.finish();
}

/// Not `/` nor a folder right below it: the rendering says to give this one to Alertmanager.
fn is_own_folder(path: &str) -> bool {
    let parts: Vec<_> = Path::new(path).components().skip(1).collect();
    parts.len() >= 2 && parts.iter().all(|part| matches!(part, Component::Normal(_)))
}

fn replace<T>(place: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *place = said;
    }
}

/// A version, which may also be written as a number.
fn version(form: &Form<'_>, least: Version) -> Option<Version> {
    let value = form.value("version")?;
    let text = match value.get_ref() {
        DeValue::String(text) => text.as_ref(),
        DeValue::Integer(number) => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => "",
    };
    let version: Option<Version> = text.parse().ok();
    match version {
        Some(version) if version < least => {
            let what = format!("version {version} is older than {least}");
            form.paper.refuse(value.span(), what, "install a newer one");
        }
        Some(_) => {}
        None => {
            form.paper.refuse(value.span(), "that is no version", format!("write it as \"{least}\""));
        }
    }
    version
}
