//! The layer. It formats into memory of its own stack frame and holds no lock.

use std::fmt;

use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

pub use tracing_core::Level as TracingLevel;

use crate::Level;

/// A layer that leaves a breadcrumb for each event of level INFO and above; its target is the category.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let subscriber = tracing_subscriber::registry().with(lifeboat::tracing::layer().report_errors(true));
/// ```
#[must_use]
pub const fn layer() -> BreadcrumbLayer {
    BreadcrumbLayer { least: TracingLevel::INFO, reports_errors: false }
}

/// See [`layer`]. In a public build, and while no reporter is at work, it does nothing.
#[derive(Clone, Copy, Debug)]
pub struct BreadcrumbLayer {
    least: TracingLevel,
    reports_errors: bool,
}

impl BreadcrumbLayer {
    /// The least level that leaves a breadcrumb.
    #[must_use]
    pub const fn least(mut self, level: TracingLevel) -> Self {
        self.least = level;
        self
    }

    /// Whether an event of level ERROR is reported, too, as a handled error; its target is the type.
    #[must_use]
    pub const fn report_errors(mut self, wanted: bool) -> Self {
        self.reports_errors = wanted;
        self
    }
}

impl<S: Subscriber> Layer<S> for BreadcrumbLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        // Levels are ordered by how much they let through: ERROR is the least of them.
        if !crate::is_on() || *metadata.level() > self.least {
            return;
        }
        let text = Said(event);
        let level = level_of(*metadata.level());
        crate::breadcrumb!(level, metadata.target(), "{text}");
        if self.reports_errors && level == Level::Error {
            crate::error!(level, metadata.target(), "{text}");
        }
    }
}

fn level_of(level: TracingLevel) -> Level {
    match level {
        TracingLevel::ERROR => Level::Error,
        TracingLevel::WARN => Level::Warning,
        TracingLevel::INFO => Level::Info,
        _ => Level::Debug,
    }
}

/// What an event says: its message, then the other fields as `name=value`.
struct Said<'a, 'b>(&'a Event<'b>);

impl fmt::Display for Said<'_, '_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut visitor = Visitor { out, wants_message: true, said: Ok(()), is_first: true };
        self.0.record(&mut visitor);
        visitor.wants_message = false;
        self.0.record(&mut visitor);
        visitor.said
    }
}

struct Visitor<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    wants_message: bool,
    said: fmt::Result,
    is_first: bool,
}

impl Visitor<'_, '_> {
    fn say(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let is_message = field.name() == "message";
        if self.said.is_err() || is_message != self.wants_message {
            return;
        }
        let space = if std::mem::replace(&mut self.is_first, false) { "" } else { " " };
        self.said = self.out.write_str(space).and_then(|()| {
            if is_message { self.out.write_fmt(value) } else { write!(self.out, "{}={value}", field.name()) }
        });
    }
}

impl Visit for Visitor<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.say(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.say(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.say(field, format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Keeps what a breadcrumb would say.
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(Said(event).to_string());
        }
    }

    #[test]
    fn an_event_says_its_message_then_its_fields() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let subscriber = tracing_subscriber::registry().with(Kept(Arc::clone(&kept))).with(layer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(peer = "anna", shard = 2, "connected to {} peers", 3);
            tracing::error!("plain");
            tracing::warn!(lost = true);
        });
        let kept = kept.lock().unwrap();
        assert_eq!(*kept, ["connected to 3 peers peer=anna shard=2", "plain", "lost=true"]);
    }

    #[test]
    fn levels_are_those_of_breadcrumbs() {
        let levels = [TracingLevel::ERROR, TracingLevel::WARN, TracingLevel::INFO, TracingLevel::TRACE];
        assert_eq!(levels.map(level_of), [Level::Error, Level::Warning, Level::Info, Level::Debug]);
    }
}
