//! The host with libdatadog's crash tracker, and the receiver that its handler starts at a crash. Set up as its
//! documents recommend: stacks with names, resolved in the receiver. `PEERS_ALL_THREADS` asks for every thread's stack.

use std::error::Error;
use std::path::Path;

use libdd_crashtracker::{
    CrashtrackerConfiguration, CrashtrackerReceiverConfig, Metadata, StacktraceCollection,
};

/// The word that makes this program the receiver.
const RECEIVE: &str = "receive";

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some(RECEIVE) {
        return Ok(libdd_crashtracker::receiver_entry_point_stdin()?);
    }
    lifeboat_peers::live(start)
}

fn start(folder: &Path) -> Result<(), Box<dyn Error>> {
    let report = folder.join("report").join("report.json");
    let configuration = CrashtrackerConfiguration::builder()
        .collect_all_threads(std::env::var_os("PEERS_ALL_THREADS").is_some())
        .create_alt_stack(true)
        .use_alt_stack(true)
        .demangle_names(true)
        .resolve_frames(StacktraceCollection::EnabledWithSymbolsInReceiver)
        .endpoint_url(&format!("file://{}", report.display()))
        .build()?;
    let this = std::env::current_exe()?.to_string_lossy().into_owned();
    // The first argument is the receiver's name, as in every argv.
    let arguments = vec![this.clone(), RECEIVE.to_owned()];
    let receiver = CrashtrackerReceiverConfig::new(arguments, Vec::new(), this, None, None)?;
    let metadata = Metadata::new("host".into(), "1".into(), "native".into(), Vec::new());
    Ok(libdd_crashtracker::init(configuration, receiver, metadata)?)
}
