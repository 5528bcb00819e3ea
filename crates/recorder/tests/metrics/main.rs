//! Metrics through their public surface: registered, added to by threads that come and go, read from copies.

#[cfg(test)]
mod expose;
#[cfg(test)]
mod register;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod scene;
