//! Who is told: destinations are read, their secrets stand elsewhere, and who would miss an alert is said.

use lifeboat_fleet::catalogue::Severity;
use lifeboat_fleet::{Channel, Destination, Inventory, Place, Secret};

const FLEET: &str = r#"[[fleet]]
name = "logos.test"
owner = "delivery"
profile = ["libp2p-generic", "lifeboat"]
[fleet.nodes]
"node-01" = "10.1.0.1"
[[fleet]]
name = "waku.test"
profile = ["libp2p-generic", "lifeboat"]
[fleet.nodes]
"node-01" = "10.2.0.1"
"#;

/// What nobody may read in a message.
const KEY: &str = "T0P5ECRETk3y99";

fn read(lines: &str) -> Inventory {
    let text = format!("{FLEET}{lines}");
    Inventory::read("fleet.toml", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn told(lines: &str) -> String {
    Inventory::read("fleet.toml", &format!("{FLEET}{lines}")).expect_err(lines).to_string()
}

fn only(lines: &str) -> Destination {
    read(lines).destinations.remove(0)
}

#[test]
fn each_type_is_read() {
    let telegram = only(
        "[[destination]]\ntype = \"telegram\"\nbot_token_file = \"/s/t\"\nchat_id = -100123\nthread_id = 7\n",
    );
    assert_eq!(telegram.name, "telegram");
    let bot_token = Secret::File("/s/t".into());
    assert_eq!(telegram.channel, Channel::Telegram { bot_token, chat_id: -100_123, thread_id: Some(7) });
    let slack = only(
        "[[destination]]\ntype = \"slack\"\nname = \"chat\"\napi_url_env = \"SLACK_URL\"\nchannel = \"#fleet\"\n",
    );
    assert_eq!(slack.name, "chat");
    let api_url = Secret::Env("SLACK_URL".into());
    assert_eq!(api_url.path("/run/s"), "/run/s/SLACK_URL");
    assert_eq!(slack.channel, Channel::Slack { api_url, channel: Some("#fleet".into()) });
    let pagerduty = only("[[destination]]\ntype = \"pagerduty\"\nrouting_key_file = \"/s/p\"\n");
    assert_eq!(pagerduty.channel, Channel::PagerDuty { routing_key: Secret::File("/s/p".into()), url: None });
    let email = only(
        "[[destination]]\ntype = \"email\"\nto = [\"a@b.c\"]\nfrom = \"d@e.f\"\nsmarthost = \"m.e.f:587\"\n\
         auth_username = \"u\"\nauth_password_file = \"/s/e\"\nrequire_tls = false\n",
    );
    let auth = Some(("u".into(), Secret::File("/s/e".into())));
    let (to, from, smarthost) = (vec!["a@b.c".into()], "d@e.f".into(), "m.e.f:587".into());
    assert_eq!(email.channel, Channel::Email { to, from, smarthost, auth, require_tls: false });
    let webhook = only(
        "[[destination]]\ntype = \"webhook\"\nurl = \"http://[::1]:8080/alerts?of=fleet\"\nbearer_file = \"/s/b\"\n",
    );
    let (url, bearer) =
        (Place::Plain("http://[::1]:8080/alerts?of=fleet".into()), Some(Secret::File("/s/b".into())));
    assert_eq!(webhook.channel, Channel::Webhook { url, bearer, basic: None });
}

#[test]
fn filters_say_what_comes_where() {
    let one = only(
        "[[destination]]\ntype = \"webhook\"\nurl = \"http://a.b/c\"\nseverities = [\"P1\", \"P0\"]\n\
         fleets = \"logos.test\"\nowners = [\"delivery\"]\n",
    );
    assert_eq!(one.severities, [Severity::P0, Severity::P1]);
    assert!(one.gets(Severity::P0, "logos.test", "delivery"));
    assert!(!one.gets(Severity::P2, "logos.test", "delivery"));
    assert!(!one.gets(Severity::P0, "waku.test", "delivery"));
    assert!(!one.gets(Severity::P0, "logos.test", "operators"));
    let switch = only("[[destination]]\ntype = \"webhook\"\nurl = \"http://a.b/c\"\nis_watchdog = true\n");
    assert!(!switch.gets(Severity::P0, "logos.test", "delivery"));
    let chat = told("[[destination]]\ntype = \"slack\"\napi_url_file = \"/s/a\"\nis_watchdog = true\n");
    assert!(chat.contains("slack is no dead man's switch: "), "{chat}");
    assert!(
        chat.contains("leave is_watchdog out here, and add a [[destination]] with type = \"webhook\""),
        "{chat}"
    );
    let wrong = told(
        "[[destination]]\ntype = \"webhook\"\nurl = \"http://a.b/c\"\nfleets = \"logos.tset\"\nowners = \"devlivery\"\nseverities = \"P4\"\n",
    );
    assert!(wrong.contains("no fleet \"logos.tset\": did you mean \"logos.test\"?"), "{wrong}");
    assert!(wrong.contains("no owner \"devlivery\": did you mean \"delivery\"?"), "{wrong}");
    assert!(wrong.contains("no severity \"P4\": one of: P0, P1, P2, P3"), "{wrong}");
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_shown() {
    let cases = [
        format!("type = \"telegram\"\nchat_id = 1\nbot_token = \"{KEY}\""),
        format!("type = \"telegram\"\nchat_id = 1\nbot_token_env = \"{KEY}\""),
        format!("type = \"telegram\"\nchat_id = 1\nbot_token = {{ a = \"{KEY}\" }}"),
        format!("type = \"slack\"\napi_url = \"https://hooks.slack.com/services/{KEY}\""),
        format!("type = \"pagerduty\"\nrouting_key = \"{KEY}\""),
        format!(
            "type = \"email\"\nto = \"a@b.c\"\nfrom = \"a@b.c\"\nsmarthost = \"m:25\"\nauth_username = \"u\"\nauth_password = \"{KEY}\""
        ),
        format!("type = \"webhook\"\nurl = \"https://u:{KEY}@a.b/c\""),
        format!("type = \"webhook\"\nurl = \"https://a.b/c?token={KEY}\""),
        format!("type = \"webhook\"\nurl = \"https://a.b/c?api_key={KEY}\""),
        format!("type = \"webhook\"\nurl = \"https://hooks.slack.com/services/{KEY}\""),
        format!("type = \"webhook\"\nurl = \"https://discord.com/api/webhooks/1/{KEY}\""),
        format!("type = \"webhook\"\nurl = \"https://a.b/0a1b2c3d-4e5f-6071-8293-{KEY}\""),
        format!("type = \"webhook\"\nurl = \"http://a.b/c\"\nbearer = \"{KEY}\""),
        format!("type = \"webhook\"\nurl = \"http://a.b/c\"\nusername = \"u\"\npassword = \"{KEY}\""),
    ];
    for case in cases {
        let told = told(&format!("[[destination]]\n{case}\n"));
        assert!(!told.contains(KEY), "{told}");
        let is_refused =
            told.contains("a secret stands in the file") || told.contains("no name of a variable");
        assert!(is_refused, "{case}\n{told}");
    }
}

#[test]
fn a_secret_may_stand_in_a_file_or_a_variable_alone() {
    let both = told("[[destination]]\ntype = \"slack\"\napi_url_file = \"/a\"\napi_url_env = \"A\"\n");
    assert!(both.contains("`api_url_file` and `api_url_env` both stand there: keep one of them"), "{both}");
    let relative = told("[[destination]]\ntype = \"slack\"\napi_url_file = \"a\"\n");
    assert!(relative.contains("\"a\" is no absolute path"), "{relative}");
    let none = told("[[destination]]\ntype = \"slack\"\n");
    assert!(none.contains("[[destination]] has no `api_url_file`"), "{none}");
    let half = told("[[destination]]\ntype = \"webhook\"\nurl = \"http://a.b/c\"\nusername = \"u\"\n");
    assert!(half.contains("`username` and `password_file` go together"), "{half}");
}

#[test]
fn a_key_of_another_type_is_not_known() {
    let told = told("[[destination]]\ntype = \"slack\"\napi_url_file = \"/a\"\nchat_id = 1\n");
    assert!(told.contains("[[destination]] has no key `chat_id`"), "{told}");
}

#[test]
fn who_would_hear_nothing_is_hinted_at() {
    let hints = |lines: &str| -> Vec<String> {
        let inventory = read(&format!("{lines}[links]\nrunbooks = \"https://books.example.org\"\n"));
        inventory.hints.into_iter().map(|hint| hint.what).collect()
    };
    assert_eq!(hints(""), ["nobody is told of an alert"]);
    let telegram = "[[destination]]\ntype = \"telegram\"\nbot_token_file = \"/t\"\nchat_id = 1\n";
    let newer = "destination \"telegram\" asks for Alertmanager 0.26 or later".to_owned();
    assert!(hints(telegram).contains(&newer));
    assert!(!hints(&format!("{telegram}[alertmanager]\nversion = \"0.28\"\n")).contains(&newer));
    let chat = "[[destination]]\ntype = \"webhook\"\nurl = \"http://a.b/c\"\n";
    let switch = "[[destination]]\nname = \"switch\"\ntype = \"webhook\"\nurl = \"http://a.b/c\"\nis_watchdog = true\n";
    assert_eq!(hints(chat), ["nobody notices when Prometheus or Alertmanager themselves are down"]);
    assert_eq!(hints(switch), ["nobody is told of an alert"]);
    assert!(hints(&format!("{chat}{switch}")).is_empty());
    let some = format!("{chat}severities = \"P1\"\nowners = \"delivery\"\n{switch}");
    let missed = [
        "alerts P0 of fleet \"logos.test\" with owner \"delivery\" reach nobody",
        "alerts P0 and P1 of fleet \"waku.test\" with owner \"operators\" reach nobody",
    ];
    assert_eq!(hints(&some), missed);
}

#[test]
fn a_message_without_a_way_to_runbooks_is_hinted_at() {
    let chat = "[[destination]]\ntype = \"webhook\"\nurl = \"http://a.b/c\"\n";
    let hints = read(chat).hints;
    let hint = hints.iter().find(|hint| hint.what.contains("runbooks/NAME.md")).unwrap();
    assert!(hint.remedy.starts_with("add runbooks = \"https://…\" to [links]"), "{}", hint.remedy);
}
