//! `show --html`: the page is whole by itself, tells what is known in the order in which one asks, and no text of a
//! report gets out of its place. A strict reader of exactly the HTML that we write stands in for the browser.

use serde_json::{Value, json};

use super::{Scene, event, run};

/// Attributes that a page may have; whatever could load, link or run is not among them.
const ATTRIBUTES: [&str; 7] = ["charset", "class", "content", "http-equiv", "lang", "name", "scope"];
const VOID: [&str; 3] = ["!DOCTYPE", "meta", "wbr"];
const TAGS: [&str; 29] = [
    "!DOCTYPE", "html", "head", "meta", "title", "style", "body", "main", "header", "section", "footer",
    "h1", "h2", "p", "pre", "code", "span", "ol", "ul", "li", "div", "details", "summary", "table",
    "caption", "tr", "th", "td", "wbr",
];

/// A page as a browser would take it.
#[derive(Default)]
struct Read {
    /// All text between tags, as it is seen.
    text: String,
    attributes: Vec<(String, String)>,
    style: String,
}

impl Read {
    /// Panics at the first byte that our own writer would not write.
    fn page(page: &str) -> Self {
        let (mut read, mut open, mut rest) = (Self::default(), Vec::new(), page);
        while let Some((text, after)) = rest.split_once('<') {
            assert!(!text.contains('>'), "{text}");
            read.text.push_str(&unescaped(text));
            let (tag, after) = after.split_once('>').unwrap();
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name), "{}", read.text);
                continue;
            }
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            assert!(TAGS.contains(&name), "{tag:?}");
            if name != "!DOCTYPE" {
                read.attributes(attributes);
            }
            if name == "style" {
                let (style, after) = rest.split_once("</style>").unwrap();
                (read.style, rest) = (style.to_owned(), after);
            } else if !VOID.contains(&name) {
                open.push(name.to_owned());
            }
        }
        assert!(open.is_empty() && rest == "\n", "{open:?} {rest:?}");
        read
    }

    fn attributes(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let (name, after) = rest.split_once("=\"").unwrap();
            let (value, after) = after.split_once('"').unwrap();
            assert!(ATTRIBUTES.contains(&name), "{name:?} in {text:?}");
            self.attributes.push((name.to_owned(), value.to_owned()));
            rest = after.strip_prefix(' ').unwrap_or(after);
        }
    }
}

/// Any other `&` would be one that nobody escaped.
fn unescaped(text: &str) -> String {
    let known = ["&lt;", "&gt;", "&quot;", "&amp;"];
    for (at, _) in text.match_indices('&') {
        assert!(known.iter().any(|entity| text[at..].starts_with(entity)), "{text}");
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

fn page_of(event: &Value) -> String {
    let scene = Scene::new();
    scene.store(1, event);
    let said = scene.run(&["show", "last", "--html"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{event}");
    said.stdout
}

fn in_order(text: &str, parts: &[&str]) {
    let mut from = 0;
    for part in parts {
        let at = text[from..].find(part);
        assert!(at.is_some(), "{part:?} is not where it should be in\n{text}");
        from += at.unwrap() + part.len();
    }
}

#[test]
fn the_page_is_whole_by_itself_and_runs_nothing() {
    let page = page_of(&event());
    let read = Read::page(&page);
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"));
    let policy = read.attributes.iter().position(|(_, value)| value == "Content-Security-Policy").unwrap();
    let (_, policy) = &read.attributes[policy + 1];
    assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline'"), "{policy}");
    assert!(!read.style.contains("url("));
    for at_rule in read.style.split('@').skip(1) {
        assert!(at_rule.starts_with("media "), "{at_rule}");
    }
    for part in ["prefers-color-scheme: dark", "max-width: 44rem", "@media print"] {
        assert!(read.style.contains(part), "{part}");
    }
    // It may be handed on: neither the key of the server nor where it lay.
    assert!(!page.contains("secretkey") && !page.contains("spool"), "{page}");
}

/// What a page says of the event with everything in it, in this order; one line a part of the page.
const ORDER: &str = "\
Died by a signal|SIGSEGV: null pointer dereference at 0x18|in peer_address_length|record.h:23|net-io-0 (4714)
Why|out of memory|oom_kill went|signalhandler, not handled|SIGSEGV (11), SEGV_MAPERR|first page (null pointer)
When|08:26:40 UTC|Sat 2025-11-22|uptime|2 d 4 h|restarts|3
Which node|node-03.do-ams3|waku.sandbox|wakunode2@0.36.0|production
Stack|peer_address_length|inlined|net_thread_main|2 frames of libc.so.6|start_thread|libc.so.6+0xa81ca
Chained exceptions|DatabaseError: disk full|store_open
Other threads|wakunode2 (4711)|run_event_loop|in epoll_wait|metrics (4713)|no stack was captured
What led to it|56 breadcrumbs|31 earlier|−3 min 40 s|debug|−400 ms|error|peer-exchange|record of 0 bytes
Course|memory|10 min ago 812 MiB|▁▄█|open fds|last 213
Metrics|gossip_received_total|184233|{module=\"storage_module\"}|28.2
Tags and contexts|stage|sandbox|488.6 MiB
Not captured, or not certain|ptrace is refused
Scrubbed|1IP addresses|1home directories
2 images|/usr/bin/wakunode2|Report 00000000000000000000000000000001";

#[test]
fn the_page_tells_in_the_order_in_which_one_asks() {
    let mut told = event();
    told["contexts"]["death"]["suspected"] = json!("out of memory");
    told["contexts"]["death"]["suspected_evidence"] = json!("oom_kill went from 3 to 4");
    told["contexts"]["metrics"] = json!({
        "gossip_received_total": 184_233,
        "logos_module_cpu_seconds_total{module=\"storage_module\"}": 28.199_999_999_999_974,
    });
    told["contexts"]["process"]["memory_course"] = json!("10 min ago 812 MiB · last 2.0 GiB");
    told["contexts"]["process"]["open_fds_course"] = json!("last 213");
    told["contexts"]["course"] = json!({"resident_bytes": [0, 4, 9]});
    let before = json!({"type": "DatabaseError", "value": "disk full at ~/store.db, [ip] told", "stacktrace": {"frames": [
        {"function": "store_open", "filename": "store.c", "lineno": 7, "in_app": true},
    ]}});
    told["exception"]["values"].as_array_mut().unwrap().insert(0, before);
    let parts: Vec<&str> = ORDER.split(['|', '\n']).collect();
    in_order(&Read::page(&page_of(&told)).text, &parts);
}

#[test]
fn planted_markup_and_steering_letters_stay_text() {
    let evil = "</style></title></td><script>alert(1)</script><img src=x onerror=alert(2)>\" onmouseover=\"alert(3)' \
                &lt; javascript:x <!-- ]]> \u{202e}PLANTED\u{2066}\0\u{1b}[31m\r\u{9b}\u{2028}";
    let seen = "</style></title></td><script>alert(1)</script><img src=x onerror=alert(2)>\" onmouseover=\"alert(3)' \
                &lt; javascript:x <!-- ]]> ‹U+202E›PLANTED‹U+2066›‹U+0000›‹U+001B›[31m‹U+000D›‹U+009B›‹U+2028›";
    let mut planted = event();
    let count = plant(&mut planted, evil);
    let page = page_of(&planted);
    let read = Read::page(&page);
    assert!(read.attributes.iter().all(|(_, value)| !value.contains("PLANTED")), "{:?}", read.attributes);
    assert!(!read.style.contains("PLANTED"));
    // Most are shown, and all that are shown look as they are.
    let shown = read.text.matches("PLANTED").count();
    assert!(shown > count / 2, "{shown} of {count}");
    assert!(read.text.matches(seen).count() > shown / 2);
    let steering = |letter: char| {
        (letter.is_control() && letter != '\n')
            || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert_eq!(page.find(steering), None);
}

/// Puts the text behind every string and in every key; how often.
fn plant(value: &mut Value, evil: &str) -> usize {
    match value {
        Value::String(text) => {
            text.push_str(evil);
            1
        }
        Value::Array(list) => list.iter_mut().map(|value| plant(value, evil)).sum(),
        Value::Object(fields) => {
            let count: usize = fields.values_mut().map(|value| plant(value, evil)).sum();
            fields.insert(format!("new{evil}"), json!(evil));
            count + 2
        }
        _ => 0,
    }
}

#[test]
fn what_is_not_there_is_said_calmly_or_left_out() {
    let text = Read::page(&page_of(&json!({}))).text;
    in_order(
        &text,
        &[
            "report without a title",
            "not told",
            "not known",
            "not named",
            "No stack was captured.",
            "The node left no breadcrumbs.",
            "No text of this report holds a placeholder",
        ],
    );
    for absent in ["Other threads", "Chained", "Metrics", "Tags", "Not captured", "images"] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
}

#[test]
fn an_event_of_wrong_types_is_a_page_or_an_error_and_no_panic() {
    for wrong in [json!(null), json!(-1e300), json!("x"), json!([1, "x", null, {}]), json!({"values": [[]]})]
    {
        let mut planted = event();
        for (_, value) in planted.as_object_mut().unwrap() {
            *value = wrong.clone();
        }
        Read::page(&page_of(&planted));
    }
    let scene = Scene::new();
    scene.store(1, &json!([1]));
    let said = scene.run(&["show", "last", "--html"]);
    assert!(
        said.code == 1 && said.stdout.is_empty() && said.stderr.contains("not a JSON object"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_long_message_has_a_short_title_and_is_folded_whole() {
    let message = format!("first line {}\n{}", "word ".repeat(40), "A".repeat(3_800));
    let page = page_of(&json!({"exception": {"values": [{"type": "Defect", "value": message}]}}));
    let text = Read::page(&page).text;
    let heading = page.split_once("<h1>").unwrap().1.split_once("</h1>").unwrap().0;
    assert!(heading.contains("first line") && heading.ends_with('…') && heading.len() < 300, "{heading}");
    assert!(text.contains("The whole message, 4020 characters"), "{text}");
    assert!(text.contains(&message));
}

#[test]
fn foreign_frames_and_the_middle_of_a_recursion_are_folded_own_ones_never() {
    let own = |name: String| json!({"function": name, "in_app": true});
    let mut frames: Vec<Value> = (0..200).map(|number| own(format!("deep_{number}"))).collect();
    let foreign = |name| json!({"function": name, "package": "/lib/libfoo.so", "in_app": false});
    frames.extend([foreign("far_b"), foreign("far_a"), own("caller".to_owned()), foreign("strlen")]);
    let page = page_of(&json!({"exception": {"values": [{"type": "S", "stacktrace": {"frames": frames}}]}}));
    in_order(
        &Read::page(&page).text,
        &[
            "0strlen",
            "1caller",
            "2 frames of libfoo.so",
            "2far_a",
            "3far_b",
            "4deep_199",
            "149 frames in between",
        ],
    );
    let unfolded = page.split_once("<summary>149").unwrap().0;
    assert!(unfolded.contains("deep_164") && !unfolded.contains("deep_163"));
    // Without a frame of its own there is nothing to fold them behind.
    let frames = json!([foreign("b"), foreign("a")]);
    let page = page_of(&json!({"exception": {"values": [{"type": "S", "stacktrace": {"frames": frames}}]}}));
    assert!(page.contains("<ol class=\"frames plain\">") && !page.contains("<details"), "{page}");
}

#[test]
fn a_level_is_told_by_word_and_shape_and_the_usual_one_may_be_missing() {
    let crumbs = json!([{"message": "a"}, {"level": "debug", "message": "b"}, {"level": "warning", "message": "c"},
        {"level": "error", "message": "d"}, {"level": "fatal", "message": "e"}, {"level": "odd", "message": "f"}]);
    let page = page_of(&json!({"breadcrumbs": {"values": crumbs}}));
    let read = Read::page(&page);
    in_order(&read.text, &["infoa", "debugb", "warningc", "errord", "fatale", "oddf"]);
    let classes: Vec<&str> = read.attributes.iter().map(|(_, value)| value.as_str()).collect();
    for class in ["crumb", "crumb debug", "crumb warning", "crumb error", "crumb fatal", "crumb end"] {
        assert!(classes.contains(&class), "{class}");
        let shape = class.replace("crumb ", "").replace("crumb", "crumb::after");
        assert!(read.style.contains(&format!(".{shape}")), "{class} has a shape");
    }
}

#[test]
fn one_form_at_a_time() {
    let scene = Scene::new();
    scene.store(1, &event());
    for other in [&["--json"][..], &["--breadcrumbs", "3"]] {
        let said = scene.run(&[&["show", "last", "--html"], other].concat());
        assert!(
            said.code == 2 && said.stdout.is_empty() && said.stderr.contains("cannot be used with"),
            "{other:?}"
        );
    }
    assert!(run(super::lifeboat().args(["show", "--help"])).stdout.contains("--html > report.html"));
}
