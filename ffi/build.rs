//! Links the reporter without libc, so that one file loads under glibc and musl alike, and for good.

fn main() {
    for argument in [
        "-nostdlib",
        "-nostartfiles",
        "-Wl,--no-undefined",
        "-Wl,-z,nodelete",
        "-Wl,-Bsymbolic",
        "-Wl,-z,now",
        "-Wl,-z,relro",
        "-Wl,-z,noexecstack",
        "-Wl,--build-id=sha1",
        "-Wl,-soname,liblifeboat_reporter.so",
    ] {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
