//! No recorder.
