//! Whatever stands in an inventory, it is read or refused, and what is read can be rendered: nothing panics. The seed is fixed.

use lifeboat_fleet::{Inventory, verify};

const ROUNDS: usize = 2000;
/// To render takes longer than to read.
const RENDERED_OF: usize = 10;

/// Pieces that mean something somewhere.
const PIECES: &[&str] = &[
    "[[fleet]]",
    "[fleet.nodes]",
    "[[destination]]",
    "[fleet.consul]",
    "=",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\n",
    ".",
    "name",
    "profile",
    "\"lifeboat\"",
    "nan",
    "-1",
    "99999999999999999999",
    "0x",
    "1979-05-27",
    "true",
    "\u{feff}",
    "\u{202e}",
    "\"\"\"",
    "#",
    "\\u0000",
    "\\",
    "::",
    "http://",
    "@",
    "{{",
    "ä",
    "nodes_file = \".\"",
    "profile = \"./\"",
    "\r",
];

/// Marsaglia's xorshift: the same numbers everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

/// The text after up to `most` changes.
fn mutated(text: &str, most: usize, numbers: &mut Numbers) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for _ in 0..=numbers.below(most) {
        let at = numbers.below(letters.len() + 1);
        let end = (at + numbers.below(12)).min(letters.len());
        match numbers.below(4) {
            0 => drop(letters.drain(at..end)),
            1 => drop(letters.splice(at..end, PIECES[numbers.below(PIECES.len())].chars())),
            2 => {
                let copy: Vec<char> = letters[at..end].to_vec();
                let to = numbers.below(letters.len() + 1);
                letters.splice(to..to, copy);
            }
            _ => drop(letters.splice(at..at, char::from_u32(numbers.below(0x3000) as u32))),
        }
    }
    letters.into_iter().collect()
}

#[test]
fn no_inventory_makes_it_panic() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/fleets");
    let mut texts: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    texts.retain(|path| path.is_file());
    texts.sort();
    let texts: Vec<String> = texts.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut read, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let text = mutated(&texts[round % texts.len()], 6, &mut numbers);
        // Beside no file: what it names is not there.
        match Inventory::read("/nowhere/fleet.toml", &text) {
            Ok(inventory) => {
                read += 1;
                if read % RENDERED_OF == 0 {
                    verify(&inventory).unwrap_or_else(|error| panic!("{error}\n{text}"));
                }
            }
            Err(problems) => {
                refused += 1;
                assert!(!problems.0.is_empty(), "refused without a reason: {text}");
            }
        }
    }
    assert!(refused > ROUNDS / 4, "{refused} of {ROUNDS} were refused: mutation does too little");
}

#[test]
fn no_file_of_nodes_makes_it_panic() {
    let folder = tempfile::tempdir().unwrap();
    let texts = [
        (
            "nodes.json",
            r#"{"fleets":{"a":{"tcp":{"n-1.x.a":"/dns4/n.example.org/tcp/30303/p2p/16U","n-2.x.a":"/ip6/::1/tcp/1"}}}}"#,
        ),
        (
            "nodes.toml",
            "[nodes]\nn-1 = \"10.1.0.1\"\n[[node]]\nname = \"n-2\"\naddress = \"10.1.0.2\"\nendpoints = { node = 1 }\n",
        ),
    ];
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let path = folder.path().join("fleet.toml");
    let (mut read, mut refused) = (0, 0);
    for round in 0..400 {
        let (file, text) = texts[round % texts.len()];
        std::fs::write(folder.path().join(file), mutated(text, 1, &mut numbers)).unwrap();
        let fleet = "[[fleet]]\nname = \"a\"\nprofile = [\"libp2p-generic\", \"probes\"]\nnodes_file =";
        std::fs::write(&path, format!("{fleet} \"{file}\"\n")).unwrap();
        match Inventory::load(&path) {
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(read > 20 && refused > 100, "{read} were read, {refused} refused");
}
