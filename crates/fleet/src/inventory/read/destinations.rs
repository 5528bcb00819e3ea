//! `[[destination]]`: who is told. No secret may stand in an inventory: those are in a file, or in the environment.

use std::collections::BTreeSet;

use toml::Spanned;

use super::{absolute, host_and_port, name};
use crate::catalogue::Severity;
use crate::inventory::form::{Form, remedy_among};
use crate::inventory::{Channel, Destination, Fleet, Place, Secret, address};

const TYPES: [&str; 5] = ["telegram", "slack", "pagerduty", "email", "webhook"];
const SEVERITIES: [(&str, Severity); 4] =
    [("P0", Severity::P0), ("P1", Severity::P1), ("P2", Severity::P2), ("P3", Severity::P3)];

pub(super) fn read(form: &Form<'_>, fleets: &[Fleet]) -> Vec<Destination> {
    let mut names = BTreeSet::new();
    let forms = form.tables("destination", "[[destination]]").into_iter();
    let read = forms.filter_map(|form| {
        let span = form.span.clone();
        let paper = form.paper;
        let destination = destination(form, fleets)?;
        if !names.insert(destination.name.clone()) {
            let what = format!("destination {:?} stands twice", destination.name);
            paper.refuse(span, what, "give one of them another `name`");
        }
        Some(destination)
    });
    read.collect()
}

fn destination(form: Form<'_>, fleets: &[Fleet]) -> Option<Destination> {
    let channel = channel(&form);
    let name = name(&form, "name").map(Spanned::into_inner);
    let is_watchdog = form.flag("is_watchdog").unwrap_or(false);
    if is_watchdog && channel.as_ref().is_some_and(|channel| !matches!(channel, Channel::Webhook { .. })) {
        let word = channel.as_ref().map_or("", Channel::word);
        let what =
            format!("{word} is no dead man's switch: it would be written to each minute, and miss nothing");
        let remedy = "leave is_watchdog out here, and add a [[destination]] with type = \"webhook\" and is_watchdog = true at a service that alarms when it hears nothing";
        form.refuse(what, remedy);
    }
    let severities = severities(&form);
    let of_fleets = chosen(&form, "fleets", "fleet", fleets.iter().map(|fleet| fleet.name.as_str()));
    let owners: BTreeSet<&str> = fleets.iter().flat_map(Fleet::owners).collect();
    let of_owners = chosen(&form, "owners", "owner", owners.iter().copied());
    let filters = ["severities", "fleets", "owners"].into_iter().find(|key| form.has(key));
    if let Some(key) = filters.filter(|_| is_watchdog) {
        form.refuse(format!("a dead man's switch has no `{key}`"), "leave it out: it gets `Watchdog` alone");
    }
    let send_resolved = form.flag("send_resolved").unwrap_or(true);
    // The keys of a type that nobody knows are not known either.
    let channel = channel?;
    form.finish();
    let name = name.unwrap_or_else(|| channel.word().to_owned());
    let destination = Destination {
        name,
        channel,
        severities,
        fleets: of_fleets,
        owners: of_owners,
        send_resolved,
        is_watchdog,
    };
    Some(destination)
}

fn severities(form: &Form<'_>) -> Vec<Severity> {
    let mut severities = Vec::new();
    for text in form.texts("severities") {
        match SEVERITIES.iter().find(|(word, _)| word == text.get_ref()) {
            Some((_, severity)) => severities.push(*severity),
            None => {
                let what = format!("no severity {:?}", text.get_ref());
                form.paper.refuse(text.span(), what, "one of: P0, P1, P2, P3");
            }
        }
    }
    severities.sort_unstable();
    severities.dedup();
    severities
}

/// The names of a filter, each of which is one of those that there are.
fn chosen<'b>(
    form: &Form<'_>,
    key: &'static str,
    what: &str,
    known: impl Iterator<Item = &'b str> + Clone,
) -> Vec<String> {
    let mut names = Vec::new();
    for text in form.texts(key) {
        let mut all = known.clone();
        if !all.any(|name| name == *text.get_ref()) {
            let remedy = remedy_among(text.get_ref(), known.clone());
            form.paper.refuse(text.span(), format!("no {what} {:?}", text.get_ref()), remedy);
        }
        names.push(text.get_ref().to_string());
    }
    names
}

fn channel(form: &Form<'_>) -> Option<Channel> {
    let Some(word) = form.text("type") else {
        if !form.has("type") {
            form.refuse_missing("type", "\"telegram\", \"slack\", \"pagerduty\", \"email\" or \"webhook\"");
        }
        return None;
    };
    match *word.get_ref() {
        "telegram" => telegram(form),
        "slack" => slack(form),
        "pagerduty" => pagerduty(form),
        "email" => email(form),
        "webhook" => webhook(form),
        other => {
            let remedy = remedy_among(other, TYPES.into_iter());
            form.paper.refuse(word.span(), format!("no type of destination {other:?}"), remedy);
            None
        }
    }
}

fn telegram(form: &Form<'_>) -> Option<Channel> {
    let bot_token = needed(form, &BOT_TOKEN);
    let chat_id = form.integer("chat_id").map(Spanned::into_inner);
    if !form.has("chat_id") {
        form.refuse_missing("chat_id", "-1001234567890");
    }
    let thread_id = form.integer("thread_id").map(Spanned::into_inner);
    Some(Channel::Telegram { bot_token: bot_token?, chat_id: chat_id?, thread_id })
}

fn slack(form: &Form<'_>) -> Option<Channel> {
    let api_url = needed(form, &API_URL);
    let channel = form.plain("channel");
    Some(Channel::Slack { api_url: api_url?, channel })
}

fn pagerduty(form: &Form<'_>) -> Option<Channel> {
    let routing_key = needed(form, &ROUTING_KEY);
    let url = web_address(form, "url");
    Some(Channel::PagerDuty { routing_key: routing_key?, url })
}

fn email(form: &Form<'_>) -> Option<Channel> {
    let to = form.texts("to");
    let from = form.text("from");
    for (key, example) in [
        ("to", "\"oncall@example.org\""),
        ("from", "\"alerts@example.org\""),
        ("smarthost", "\"mail.example.org:587\""),
    ] {
        if !form.has(key) {
            form.refuse_missing(key, example);
        }
    }
    for address in to.iter().chain(&from) {
        let text = *address.get_ref();
        let halves = text.split_once('@').filter(|(user, host)| !user.is_empty() && !host.is_empty());
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b",;<>\"{}".contains(&byte));
        if halves.is_none() || !is_plain {
            form.paper.refuse(
                address.span(),
                format!("{text:?} is no mail address"),
                "write it as \"oncall@example.org\"",
            );
        }
    }
    let smarthost = host_and_port(form, "smarthost");
    let user = form.plain("auth_username");
    let password = secret(form, &AUTH_PASSWORD);
    if user.is_some() != password.is_some() {
        let what = "`auth_username` and `auth_password_file` go together";
        form.refuse(what, "add the one that is missing, or leave both out");
    }
    let require_tls = form.flag("require_tls").unwrap_or(true);
    let to: Vec<String> = to.iter().map(|to| to.get_ref().to_string()).collect();
    let from = from?.get_ref().to_string();
    Some(Channel::Email { to, from, smarthost: smarthost?, auth: user.zip(password), require_tls })
}

fn webhook(form: &Form<'_>) -> Option<Channel> {
    let kept = secret(form, &URL);
    let plain = web_address(form, "url");
    let bearer = secret(form, &BEARER);
    let user = form.plain("username");
    let password = secret(form, &PASSWORD);
    if user.is_some() != password.is_some() {
        form.refuse(
            "`username` and `password_file` go together",
            "add the one that is missing, or leave both out",
        );
    }
    let basic = user.zip(password);
    if bearer.is_some() && basic.is_some() {
        form.refuse("`bearer_file` and `password_file` exclude each other", "leave one of them out");
    }
    let url = match (plain, kept) {
        (Some(_), Some(_)) => {
            form.refuse("`url` stands twice", "keep either `url` or `url_file`");
            return None;
        }
        (Some(url), None) => Place::Plain(url),
        (None, Some(secret)) => Place::Secret(secret),
        (None, None) => {
            if !["url", "url_file", "url_env"].iter().any(|key| form.has(key)) {
                form.refuse_missing(
                    "url",
                    "\"http://127.0.0.1:8080/alerts\"; where it bears a key, url_file",
                );
            }
            return None;
        }
    };
    Some(Channel::Webhook { url, bearer, basic })
}

/// A web address that is no secret; one that is, is refused and not shown.
fn web_address(form: &Form<'_>, key: &'static str) -> Option<String> {
    let text = form.text(key)?;
    let url = *text.get_ref();
    if address::is_secret_url(url) {
        let remedy =
            "put the address into a file that only Alertmanager may read, and write url_file = \"/path\"";
        form.paper.refuse(
            text.span(),
            format!("`{key}` bears a key or a password: a secret stands in the file"),
            remedy,
        );
        return None;
    }
    if let Some(remedy) = address::wrong_url(url) {
        form.paper.refuse(text.span(), format!("`{key}` is no web address"), remedy);
        return None;
    }
    Some(url.to_owned())
}

/// The keys of one secret: the one that is refused, of a file, and of a variable.
struct SecretKeys {
    literal: &'static str,
    file: &'static str,
    env: &'static str,
}

const BOT_TOKEN: SecretKeys =
    SecretKeys { literal: "bot_token", file: "bot_token_file", env: "bot_token_env" };
const API_URL: SecretKeys = SecretKeys { literal: "api_url", file: "api_url_file", env: "api_url_env" };
const ROUTING_KEY: SecretKeys =
    SecretKeys { literal: "routing_key", file: "routing_key_file", env: "routing_key_env" };
const AUTH_PASSWORD: SecretKeys =
    SecretKeys { literal: "auth_password", file: "auth_password_file", env: "auth_password_env" };
const BEARER: SecretKeys = SecretKeys { literal: "bearer", file: "bearer_file", env: "bearer_env" };
const PASSWORD: SecretKeys = SecretKeys { literal: "password", file: "password_file", env: "password_env" };
// `url` itself may stand in the file, where it is no secret.
const URL: SecretKeys = SecretKeys { literal: "", file: "url_file", env: "url_env" };

fn needed(form: &Form<'_>, keys: &SecretKeys) -> Option<Secret> {
    let secret = secret(form, keys);
    if ![keys.literal, keys.file, keys.env].iter().any(|key| form.has(key)) {
        form.refuse_missing(keys.file, format!("\"/etc/alertmanager/secrets/{}\"", keys.literal));
    }
    secret
}

fn secret(form: &Form<'_>, keys: &SecretKeys) -> Option<Secret> {
    // A literal that stands there is not shown again.
    if !keys.literal.is_empty() && form.has(keys.literal) {
        let span = form.value(keys.literal).map_or(form.span.clone(), Spanned::span);
        let (file, env) = (keys.file, keys.env);
        let remedy = format!(
            "put it into a file that only Alertmanager may read, and write {file} = \"/path\"; or {env} = \"NAME\" for a variable"
        );
        form.paper.refuse(span, format!("`{}`: a secret stands in the file", keys.literal), remedy);
    }
    let file = form.text(keys.file);
    let env = form.text(keys.env);
    match (file, env) {
        (Some(file), Some(_)) => {
            let what = format!("`{}` and `{}` both stand there", keys.file, keys.env);
            form.paper.refuse(file.span(), what, "keep one of them");
            None
        }
        (Some(file), None) => absolute(form, &file).map(Secret::File),
        (None, Some(env)) => variable(form, &env),
        (None, None) => None,
    }
}

/// The name of a variable; what is none may be the secret itself and is not shown.
fn variable(form: &Form<'_>, env: &Spanned<&str>) -> Option<Secret> {
    let name = *env.get_ref();
    let is_name = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && name.starts_with(|letter: char| letter.is_ascii_uppercase() || letter == '_')
        && name.len() <= 100;
    if !is_name {
        let remedy = "write the variable's name, as \"TELEGRAM_BOT_TOKEN\": capitals, digits and _";
        form.paper.refuse(env.span(), "that is no name of a variable", remedy);
    }
    is_name.then(|| Secret::Env(name.to_owned()))
}
