//! Without the feature there is no transport.
