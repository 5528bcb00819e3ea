//! Hands on which commit this is built from: `scripts/build` knows it, other builds do not.

fn main() {
    let commit = std::env::var("LIFEBOAT_BUILD_COMMIT").unwrap_or_default();
    let commit = if commit.is_empty() { "unknown" } else { commit.as_str() };
    println!("cargo:rustc-env=LIFEBOAT_BUILD_COMMIT={commit}");
    println!("cargo:rerun-if-env-changed=LIFEBOAT_BUILD_COMMIT");
    println!("cargo:rerun-if-changed=build.rs");
}
