//! Profiles, catalogue and runbooks are part of the program: a new file among them is a reason to build it again.

fn main() {
    for folder in ["profiles", "catalogue", "../../docs/runbooks"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
