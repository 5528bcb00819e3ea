//! Without the feature there is no layer.
