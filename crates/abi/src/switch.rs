//! `LIFEBOAT`: one word that turns everything on or off, read alike by loader, reporter and programs.

/// What a value of `LIFEBOAT` asks for. Case does not matter; an empty value is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// `on`, `1`, `yes` or `true`.
    On,
    /// `off`, `0`, `no` or `false`.
    Off,
    /// No word for either. It turns everything off: whoever mistyped `off` must not be reported.
    Unknown,
}

impl Switch {
    /// Whether nothing may be turned on.
    #[must_use]
    pub fn forbids(self) -> bool {
        self != Self::On
    }

    /// Reads a value; nothing where it is empty.
    #[must_use]
    pub fn of(value: &[u8]) -> Option<Self> {
        const ON: [&[u8]; 4] = [b"on", b"1", b"yes", b"true"];
        const OFF: [&[u8]; 4] = [b"off", b"0", b"no", b"false"];
        let is_in = |words: [&[u8]; 4]| words.iter().any(|word| word.eq_ignore_ascii_case(value));
        match () {
            () if value.is_empty() => None,
            () if is_in(ON) => Some(Self::On),
            () if is_in(OFF) => Some(Self::Off),
            () => Some(Self::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_none_is_not_on() {
        let cases = [
            (&["on", "ON", "1", "yes", "True"][..], Some(Switch::On)),
            (&["off", "OFF", "0", "No", "false"], Some(Switch::Off)),
            (&["of", "onn", "o", " on", "2", "ja"], Some(Switch::Unknown)),
            (&[""], None),
        ];
        for (words, expected) in cases {
            for word in words {
                assert_eq!(Switch::of(word.as_bytes()), expected, "{word:?}");
            }
        }
    }
}
