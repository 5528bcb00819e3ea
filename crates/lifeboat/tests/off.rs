//! What is off does nothing: in the public build, and in any other that nobody turned on.
//!
//! 1. Call every macro with arguments that count: none is evaluated, and every answer says so.
//! 2. In the public build the types have no size.

use std::cell::Cell;

use lifeboat::Level;

#[test]
fn no_argument_is_evaluated() {
    let evaluated = Cell::new(0);
    let count = || {
        evaluated.set(evaluated.get() + 1);
        "text"
    };
    let answers = [
        lifeboat::tag!(count(), count()),
        lifeboat::tag!(count(), "{} {}", count(), 1),
        lifeboat::context!(count(), count(), count()),
        lifeboat::context!(count(), count(), "{}", count()),
        lifeboat::breadcrumb!(Level::Info, count(), "{}", count()),
        lifeboat::error!(Level::Error, count(), "{}", count()),
        lifeboat::fatal!(count(), "{}", count()),
    ];
    assert_eq!(evaluated.get(), 0);
    for answer in answers {
        let why = answer.result().unwrap_err();
        assert!(why.is_disabled() || why.is_not_started(), "{why}");
    }
    assert!(!lifeboat::is_on() && !lifeboat::stop().is_ok());
}

#[test]
fn start_says_that_it_is_off() {
    let why = lifeboat::start!(.fleet("test").report_caught_panics(true)).result().unwrap_err();
    assert_eq!((why.is_disabled(), why.is_off()), (!lifeboat::ENABLED, lifeboat::ENABLED), "{why}");
    assert_eq!(lifeboat::start!().number(), if lifeboat::ENABLED { 2 } else { 1 });
}

#[test]
fn public_types_have_no_size() {
    let sizes = [
        size_of::<lifeboat::Options<'_>>(),
        size_of::<lifeboat::Status>(),
        size_of::<lifeboat::Error>(),
        size_of::<lifeboat::Counter>(),
        size_of::<lifeboat::Gauge>(),
        size_of::<lifeboat::Histogram>(),
        size_of::<lifeboat::BoundCounter>(),
        size_of::<lifeboat::BoundGauge>(),
        size_of::<lifeboat::BoundHistogram>(),
        size_of::<lifeboat::Timer<'_>>(),
        size_of::<lifeboat::Info>(),
    ];
    assert_eq!(sizes == [0; 11], !lifeboat::ENABLED, "{sizes:?}");
}

#[test]
fn handles_may_be_used_where_nobody_counts() {
    static MESSAGES: lifeboat::Counter =
        lifeboat::Counter::new("gossip", "messages", "Received.").labels(&[("topic", "a")]);
    static PEERS: lifeboat::Gauge = lifeboat::Gauge::new("gossip", "peers", "Connected.");
    static DELAY: lifeboat::Histogram =
        lifeboat::Histogram::new("gossip", "delay", "Of a message.").unit("seconds").bounds(&[0.5, 1.0]);
    static BUILD: lifeboat::Info = lifeboat::Info::new("gossip", "build", "What runs.");
    BUILD.set(&[("commit", "a")]);
    MESSAGES.add(1);
    MESSAGES.with(&[("kind", "b")]).increment();
    PEERS.set(1.0);
    PEERS.with(&[("kind", "b")]).add(1.0);
    DELAY.observe(0.25);
    let _timer = DELAY.start_timer();
    DELAY.with(&[("kind", "b")]).observe(0.25);
}
