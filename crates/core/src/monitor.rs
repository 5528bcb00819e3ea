//! Where the monitor is: named, beside the reporter, or beside the program.

use core::mem::offset_of;

use lifeboat_abi::{Options, Status};

use crate::settings::Settings;
use crate::sys;
use crate::trust::{self, TrustedPath};

const PATH_ROOM: usize = 1024;
const NAME: &[u8] = b"lifeboat-monitor";

/// Finds the monitor and makes sure of it.
pub(crate) fn find(settings: &Settings) -> Result<TrustedPath, Status> {
    if let Some(named) = settings.text("LIFEBOAT_MONITOR", offset_of!(Options, monitor)) {
        return trust::executable(named);
    }
    if let Some(reporter) = settings.option(offset_of!(Options, reporter)) {
        return in_folder(parent(parent(reporter)), b"/bin/");
    }
    let mut program = [0; PATH_ROOM];
    let program = sys::readlink(c"/proc/self/exe", &mut program).map_err(|_| Status::MonitorMissing)?;
    in_folder(parent(program), b"/").or_else(|_| in_folder(parent(parent(program)), b"/bin/"))
}

fn in_folder(folder: &[u8], below: &[u8]) -> Result<TrustedPath, Status> {
    let mut path = [0; PATH_ROOM];
    let mut length = 0;
    for (to, from) in path.iter_mut().zip(folder.iter().chain(below).chain(NAME)) {
        *to = *from;
        length += 1;
    }
    trust::executable(path.get(..length).unwrap_or(&[]))
}

/// The folder that holds the last part of a path.
fn parent(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    path.get(..slash).unwrap_or(&[])
}
