//! No collector.
