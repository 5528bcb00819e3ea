//! What gets a slot, and what is refused.

use lifeboat_recorder::metrics::{DEFAULT_BOUNDS, Kind, Label, MetricsSnapshot, Refusal, Wanted};

use crate::scene::{Scene, counter, label, wanted};

#[test]
fn the_same_series_is_the_same_slot() {
    let scene = Scene::new(100);
    let first = counter(&scene, "messages", &[]).unwrap();
    assert_eq!(counter(&scene, "messages", &[]), Ok(first));
    let labelled = counter(&scene, "messages", &[label("topic", "a")]).unwrap();
    assert_ne!(labelled.slot, first.slot);
    assert_eq!(counter(&scene, "messages", &[label("topic", "a")]), Ok(labelled));
    assert_ne!(counter(&scene, "messages", &[label("topic", "b")]).unwrap(), labelled);
    let names: Vec<_> = scene.series().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["gossip_messages{}", "gossip_messages{topic=\"a\"}", "gossip_messages{topic=\"b\"}"]);
}

#[test]
fn a_name_means_one_thing() {
    let scene = Scene::new(100);
    counter(&scene, "size", &[]).unwrap();
    let again = scene.metrics.register(&wanted(Kind::Gauge, "size", &[]));
    assert_eq!(again, Err(Refusal::Invalid));
    let histogram = |bounds| Wanted { bounds, ..wanted(Kind::Histogram, "delay", &[]) };
    assert!(scene.metrics.register(&histogram(&[1.0, 2.0])).is_ok());
    assert_eq!(scene.metrics.register(&histogram(&[1.0, 3.0])), Err(Refusal::Invalid));
    assert_eq!(scene.snapshot().refused, 2);
}

#[test]
fn what_is_no_name_is_refused() {
    let scene = Scene::new(100);
    for name in ["", "peer count", "peers:all", "péers", "a\"b", "x\n"] {
        assert_eq!(counter(&scene, name, &[]), Err(Refusal::Invalid), "{name:?}");
    }
    let bare = Wanted { module: b"", ..wanted(Kind::Counter, "7th", &[]) };
    assert_eq!(scene.metrics.register(&bare), Err(Refusal::Invalid));
    let long = "n".repeat(300);
    assert_eq!(counter(&scene, &long, &[]), Err(Refusal::Invalid));
    for name in ["", "__name__", "le", "quantile", "a-b", "1"] {
        assert_eq!(counter(&scene, "messages", &[label(name, "x")]), Err(Refusal::Invalid), "{name:?}");
    }
    let twice = [label("topic", "a"), label("topic", "b")];
    assert_eq!(counter(&scene, "messages", &twice), Err(Refusal::Invalid));
    for bounds in [&[2.0, 1.0][..], &[1.0, 1.0], &[f64::NAN], &[f64::INFINITY], &[0.5; 40]] {
        let histogram = Wanted { bounds, ..wanted(Kind::Histogram, "delay", &[]) };
        assert_eq!(scene.metrics.register(&histogram), Err(Refusal::Invalid), "{bounds:?}");
    }
    assert!(scene.series().is_empty());
}

#[test]
fn label_values_are_escaped() {
    let scene = Scene::new(100);
    let hostile = "a\"b\\c\nd\u{1F980}";
    counter(&scene, "messages", &[label("topic", hostile)]).unwrap();
    assert_eq!(scene.series()[0].0, "gossip_messages{topic=\"a\\\"b\\\\c\\nd\u{1F980}\"}");
    let mut torn = [label("topic", "")];
    torn[0].value = b"x\xFFy";
    counter(&scene, "messages", &torn).unwrap();
    assert_eq!(scene.series()[1].0, "gossip_messages{topic=\"x?y\"}");
}

#[test]
fn past_the_limit_one_slot_takes_the_rest() {
    let scene = Scene::new(3);
    let slots: Vec<_> =
        (0..3).map(|number| counter(&scene, "m", &[label("n", &number.to_string())]).unwrap()).collect();
    assert!(slots.iter().all(|one| !one.is_overflow));
    let rest = counter(&scene, "m", &[label("n", "3")]).unwrap();
    assert!(rest.is_overflow);
    assert_eq!(counter(&scene, "m", &[label("n", "4")]), Ok(rest));
    assert_eq!(counter(&scene, "m", &[label("n", "1")]), Ok(slots[1]), "what has a slot keeps it");
    assert_ne!(counter(&scene, "other", &[]).unwrap().slot, rest.slot);
    assert_eq!(scene.metrics.register(&wanted(Kind::Gauge, "g", &[])), Err(Refusal::NoRoom));
    assert_eq!(scene.snapshot().overflowed, 4);
    assert_eq!(scene.snapshot().overflow_slot(0).max(1), scene.snapshot().overflow_slot(0));
    assert_eq!(scene.series().len(), 3);
}

#[test]
fn labels_without_end_go_where_the_rest_goes() {
    let scene = Scene::new(100);
    let long = "x".repeat(1000);
    assert!(counter(&scene, "messages", &[label("topic", &long)]).unwrap().is_overflow);
    assert!(scene.series().is_empty());
}

#[test]
fn what_gets_no_room_takes_none_from_others() {
    let scene = Scene::new(10);
    let delay = wanted(Kind::Histogram, "delay", &[]);
    let long = "x".repeat(400);
    for number in 0..10 {
        let number = number.to_string();
        let labels = [label("topic", &long), label("n", &number)];
        let refused = scene.metrics.register(&Wanted { labels: &labels, ..delay });
        assert_eq!(refused, Err(Refusal::NoRoom), "a histogram takes more slots than there are");
    }
    let mut room = 0;
    while !counter(&scene, "m", &[label("topic", &long), label("n", &room.to_string())]).unwrap().is_overflow
    {
        room += 1;
    }
    assert_eq!(room, 3, "of 1280 bytes");
    for number in 0..10 - room {
        assert!(!counter(&scene, &format!("m{number}"), &[]).unwrap().is_overflow, "{number}");
    }
}

#[test]
fn a_histogram_has_its_bounds() {
    let scene = Scene::new(100);
    let first = scene.metrics.register(&wanted(Kind::Histogram, "delay", &[])).unwrap();
    let next = counter(&scene, "after", &[]).unwrap();
    assert_eq!(next.slot, first.slot + DEFAULT_BOUNDS.len() as u32 + 2);
    let snapshot = scene.snapshot();
    let families = scene.copy(snapshot.families_range());
    let series = snapshot.series(&scene.copy(snapshot.series_range(0)), 0).unwrap();
    let family = snapshot.family(&families, series.family).unwrap();
    assert_eq!((family.kind, family.bounds(), family.slots()), (Kind::Histogram, &DEFAULT_BOUNDS[..], 20));
}

#[test]
fn a_head_that_lies_is_none() {
    let scene = Scene::new(100);
    counter(&scene, "messages", &[]).unwrap();
    let head = scene.copy((0, MetricsSnapshot::HEAD_BYTES));
    assert!(MetricsSnapshot::read(&head).is_some());
    for (at, byte) in [(0, b'X'), (8, 9), (12, 0), (15, 0xFF)] {
        let mut lying = head.clone();
        lying[at] = byte;
        assert!(MetricsSnapshot::read(&lying).is_none(), "{at}");
    }
    let mut full = head.clone();
    full[16..32].fill(0xFF);
    let snapshot = MetricsSnapshot::read(&full).unwrap();
    assert_eq!((snapshot.slots_used, snapshot.series_used, snapshot.rows_used), (101, 100, 256));
    assert!(MetricsSnapshot::read(&head[..20]).is_none());
}

#[test]
fn labels_that_are_exposed_alike_are_one_series() {
    let scene = Scene::new(100);
    let (topic, kind) = (label("topic", "/waku/2/rs/1/4"), label("kind", "relay"));
    let first = counter(&scene, "messages", &[topic, kind]).unwrap();
    assert_eq!(counter(&scene, "messages", &[kind, topic]), Ok(first));
    assert_eq!(counter(&scene, "messages", &[topic, label("empty", ""), kind]), Ok(first));
    assert_ne!(counter(&scene, "messages", &[label("topic", "relay"), kind]), Ok(first));
    assert_ne!(
        counter(&scene, "messages", &[label("kind", "/waku/2/rs/1/4"), label("topic", "relay")]),
        Ok(first)
    );
    let torn = |value| counter(&scene, "messages", &[Label { name: b"topic", value }]);
    assert_eq!(torn(b"x\xFFy"), torn(b"x?y"));
    assert_eq!(scene.series().len(), 4);
}

#[test]
fn a_known_family_needs_no_name() {
    let scene = Scene::new(100);
    let topic = [label("topic", "a")];
    let named = counter(&scene, "messages", &topic).unwrap();
    let unnamed = Wanted { module: b"", help: b"", ..wanted(Kind::Counter, "", &topic) };
    assert_eq!(scene.metrics.register_in(named.family, &unnamed), Ok(named));
    let gauge = Wanted { kind: Kind::Gauge, ..unnamed };
    for (family, wanted) in [(named.family, gauge), (named.family + 1, unnamed), (u32::MAX, unnamed)] {
        assert_eq!(scene.metrics.register_in(family, &wanted), Err(Refusal::Invalid));
    }
}
