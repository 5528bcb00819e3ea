//! What a report gives up before it looks at anything: sockets, tracing, other processes' memory, other programs.

use rustix::process::{Resource, Rlimit};

use crate::Error;
use crate::confine::{self, FOREIGN};

/// Most memory of our own, bytes. Mapped files do not count.
const MEMORY_MAX: u64 = 2 << 30;
/// Most processor time, seconds.
const SECONDS_MAX: u64 = 60;

/// Ways to others, and to other files' places.
const CONNECTIONS: [i64; 8] = [
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_mount,
];

/// Confines this process and its children for good.
///
/// # Errors
/// Where new privileges could not be given up. A kernel without seccomp is lived with.
pub(crate) fn confine() -> Result<(), Error> {
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| Error::system("cannot give up new privileges", error))?;
    // It holds copies of the node's stacks: no core file, and nobody looks in.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    for (resource, most) in [(Resource::Core, 0), (Resource::Data, MEMORY_MAX), (Resource::Cpu, SECONDS_MAX)]
    {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        // Where the limit stands lower already, that is as good.
        let _ = rustix::process::setrlimit(resource, limit);
    }
    let _ = confine::forbid(&[&FOREIGN[..], &CONNECTIONS].concat());
    Ok(())
}
