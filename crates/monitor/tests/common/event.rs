//! Reads the event of a report as a user would.

use std::path::Path;

use lifeboat_monitor::capture::Capture;
use lifeboat_monitor::envelope::Envelope;
use lifeboat_monitor::report::{Detail, make};
use serde_json::Value;

use super::fixtures;

/// The event that this capture becomes; kept in `LIFEBOAT_TEST_EVENTS` for `relay_check.py`, where that is set.
pub(crate) fn event(capture: &Capture, detail: Detail) -> Value {
    let made = make(capture, detail).unwrap();
    let envelope = Envelope::parse(&made.envelope).unwrap();
    assert_eq!(envelope.event_id(), Some(made.event_id));
    if let Some(folder) = std::env::var_os("LIFEBOAT_TEST_EVENTS") {
        let place = Path::new(&folder).join(format!("{}.json", made.event_id.simple()));
        std::fs::write(place, envelope.event_bytes().unwrap()).unwrap();
    }
    envelope.event().unwrap()
}

/// Function and line of the frames of the program itself that are the node's own, innermost first.
pub(crate) fn own_frames(event: &Value, program: &Path) -> Vec<(String, u64)> {
    let frames = event["exception"]["values"][0]["stacktrace"]["frames"].as_array().unwrap();
    let package = program.to_str().unwrap().replace("/root/", "~/");
    let own = frames.iter().rev().filter(|frame| frame["package"] == package.as_str());
    let own = own.filter(|frame| frame["in_app"] == true);
    own.map(|frame| {
        let function = function(frame).unwrap_or("?").to_owned();
        (function, frame["lineno"].as_u64().unwrap_or(0))
    })
    .collect()
}

/// The function that a frame names. One without a name says module and offset in its place, and says them right.
pub(crate) fn function(frame: &Value) -> Option<&str> {
    let number = |key: &str| u64::from_str_radix(frame[key].as_str()?.trim_start_matches("0x"), 16).ok();
    let module = frame["package"].as_str().and_then(|path| path.rsplit('/').next());
    let place = || Some(format!("{}+{:#x}", module?, number("instruction_addr")? - number("image_addr")?));
    let function = frame["function"].as_str();
    if function.is_none() {
        assert_eq!(module, None, "{frame}");
    }
    function.filter(|function| place().is_none_or(|place| place != *function))
}

/// The line of the fixture that has this word.
pub(crate) fn line(source: &str, word: &str) -> u64 {
    let text = std::fs::read_to_string(fixtures().join(source)).unwrap();
    let index = text.lines().position(|line| line.contains(word)).unwrap();
    index as u64 + 1
}
