//! Takes secrets out of a line of text by what stands before them: `password=…`, `Authorization: Bearer …`; and by forms
//! that are nothing else: signed tokens, access keys, long base64.

/// What a secret is called, in any case; a longer name may hold it.
const NAMES: [&str; 16] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "accesskey",
    "access_key",
    "authorization",
    "credential",
    "privatekey",
    "private_key",
    "nodekey",
    "mnemonic",
];
/// How the value of an authorization begins; the secret is the next word.
const SCHEMES: [&str; 3] = ["bearer", "basic", "digest"];
const MARK: &str = "[secret]";
/// A value that is shorter is a number or a flag.
const BARE_MIN: usize = 16;
const BASE64_MIN: usize = 40;

/// The text without them.
pub(super) fn without_secrets(text: &str) -> String {
    let text = after_names(text);
    let mut kept = String::with_capacity(text.len());
    let mut was_scheme = false;
    for piece in text.split_inclusive(is_end) {
        let word = piece.strip_suffix(is_end).unwrap_or(piece);
        let is_secret = is_form(word) || (was_scheme && word.len() >= BARE_MIN);
        kept.push_str(if is_secret { MARK } else { word });
        kept.push_str(piece.strip_prefix(word).unwrap_or_default());
        was_scheme = SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme));
    }
    kept
}

fn is_end(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '"' | '\'' | '`' | ',' | ';' | ')' | '}' | ']' | '>' | '&')
}

/// Replaces what follows a name and `=` or `:`.
fn after_names(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let (mut kept, mut at) = (String::with_capacity(text.len()), 0);
    while let Some((start, value)) = next_value(&lower, at) {
        kept.push_str(text.get(at..start).unwrap_or_default());
        let is_scheme =
            SCHEMES.iter().find(|scheme| lower.get(start..).is_some_and(|rest| rest.starts_with(**scheme)));
        // `Bearer` stays, and the word after it is found by its form.
        if is_scheme.is_some() {
            at = start;
            let end = start + value;
            kept.push_str(text.get(at..end).unwrap_or_default());
            at = end;
            continue;
        }
        kept.push_str(MARK);
        at = start + value;
    }
    kept.push_str(text.get(at..).unwrap_or_default());
    kept
}

/// Where the next value starts and how long it is.
fn next_value(lower: &str, from: usize) -> Option<(usize, usize)> {
    let mut from = from;
    loop {
        let rest = lower.get(from..)?;
        let found = NAMES.iter().filter_map(|name| Some((rest.find(name)?, name.len())));
        let (at, length) = found.min()?;
        let after = rest.get(at + length..)?;
        let is_of_name =
            |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '"' | '\'');
        let sign = after.find(|letter| !is_of_name(letter)).unwrap_or(after.len());
        let gap = after.get(sign..).map(|rest| rest.len() - rest.trim_start_matches(' ').len()).unwrap_or(0);
        let signed =
            after.get(sign + gap..).filter(|rest| rest.starts_with(['=', ':']) && !rest.starts_with("::"));
        if let Some(signed) = signed {
            let value = signed.get(1..)?.trim_start_matches([' ', '"', '\'', '`']);
            let length = value.find(is_end).unwrap_or(value.len());
            if length > 0 {
                return Some((lower.len() - value.len(), length));
            }
        }
        from += at + length;
    }
}

/// Whether a word is nothing but a secret.
fn is_form(word: &str) -> bool {
    is_signed_token(word) || is_access_key(word) || is_base64(word)
}

/// Three parts in base64 with dots between them, of which the first is a JSON object. See RFC 7519.
fn is_signed_token(word: &str) -> bool {
    word.starts_with("eyJ")
        && word.len() >= BASE64_MIN
        && word.bytes().filter(|byte| *byte == b'.').count() >= 1
}

fn is_access_key(word: &str) -> bool {
    let rest = word.strip_prefix("AKIA").or_else(|| word.strip_prefix("ASIA"));
    rest.is_some_and(|rest| {
        rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    })
}

/// Long, of that alphabet alone, and with letters of both kinds and digits as mixed as in no name or path.
fn is_base64(word: &str) -> bool {
    let word = word.trim_end_matches('=');
    let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
    let (upper, lower, digits) =
        (count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase), count(u8::is_ascii_digit));
    let others = count(|byte| matches!(byte, b'+' | b'/' | b'-' | b'_'));
    word.len() >= BASE64_MIN
        && upper + lower + digits + others == word.len()
        && !PEER_IDS.iter().any(|start| word.starts_with(start))
        && [upper * 6, lower * 6, digits * 14].into_iter().all(|weighed| weighed >= word.len())
        && others * 8 <= word.len()
}

/// These become tokens of their own.
const PEER_IDS: [&str; 3] = ["16Uiu2", "12D3Koo", "Qm"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_words_stay() {
        let cases = [
            ("login failed password=hunter2 user=bob", "login failed password=[secret] user=bob"),
            ("DB_PASSWORD: \"hunter2\", next", "DB_PASSWORD: \"[secret]\", next"),
            ("{\"nodekey\":\"0a1b\",\"port\":1}", "{\"nodekey\":\"[secret]\",\"port\":1}"),
            ("--rln-relay-cred-password=x", "--rln-relay-cred-password=[secret]"),
            ("Authorization: Bearer abcdefghijklmnopqrst", "Authorization: Bearer [secret]"),
            ("sent Bearer abcdefghijklmnopqrst on", "sent Bearer [secret] on"),
            ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "Authorization: Basic [secret]"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N", "[secret]"),
            ("key AKIAIOSFODNN7EXAMPLE used", "key [secret] used"),
            ("pem MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g end", "pem [secret] end"),
            ("?api_key=abc&x=1", "?api_key=[secret]&x=1"),
        ];
        for (text, expected) in cases {
            assert_eq!(without_secrets(text), expected, "{text}");
        }
    }

    #[test]
    fn ordinary_text_is_kept() {
        let texts = [
            "unexpected token in JSON at 7",
            "token::Lexer::next failed",
            "the password was wrong",
            "bearer of bad news",
            "gossipsub message validation failed in WakuRelayHandlerForPubsubTopic2Messages",
            "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
            "_ZN4core3ptr85drop_in_place$LT$std..rt..lang_start$LT$$LP$$RP$$GT$",
            "index 15 not in 0 .. 14",
            "16Uiu2HAmPLe7Mzm8TsYUubgCAW1aJoeFScxrLj8ppHFivPo97bUZ",
            "",
        ];
        for text in texts {
            assert_eq!(without_secrets(text), text);
        }
    }
}
