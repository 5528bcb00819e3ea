//! The host with crash-handler, and the server process of minidumper that writes its dump. Put together as in
//! minidumper's own example, but the client looks for the server every millisecond instead of every 100.

use std::error::Error;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crash_handler::{CrashContext, CrashEventResult, CrashHandler, make_crash_event};
use minidumper::{Client, LoopAction, MinidumpBinary, Server, ServerHandler, SocketName};

/// The word that makes this program the server.
const SERVE: &str = "serve";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(SERVE) {
        let [name, folder] = [arguments.next(), arguments.next()].map(Option::unwrap_or_default);
        return serve(&name, &PathBuf::from(folder));
    }
    lifeboat_peers::live(start)
}

fn start(folder: &Path) -> Result<(CrashHandler, Child), Box<dyn Error>> {
    let name = format!("lifeboat-peers-{}", std::process::id());
    let server = Command::new(std::env::current_exe()?).args([SERVE, &name]).arg(folder).spawn()?;
    let client = connect(&name)?;
    let on_crash = move |crash: &CrashContext| {
        CrashEventResult::Handled(client.ping().and_then(|()| client.request_dump(crash)).is_ok())
    };
    // SAFETY: crash-handler asks that the closure does nothing a signal handler must not; its sister crate's two calls
    // are made for this place.
    let event = unsafe { make_crash_event(on_crash) };
    let handler = CrashHandler::attach(event)?;
    handler.set_ptracer(Some(server.id()));
    Ok((handler, server))
}

fn connect(name: &str) -> Result<Client, Box<dyn Error>> {
    let begin = Instant::now();
    loop {
        match Client::with_name(SocketName::Abstract(name)) {
            Ok(client) => return Ok(client),
            Err(error) if begin.elapsed() > CONNECT_TIMEOUT => return Err(error.into()),
            Err(_) => sleep(Duration::from_millis(1)),
        }
    }
}

fn serve(name: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut server = Server::with_name(SocketName::Abstract(name))?;
    let dumps = Dumps(folder.join("report"));
    Ok(server.run(Box::new(dumps), &AtomicBool::new(false), None)?)
}

/// Puts the one dump into this folder, then ends the server.
struct Dumps(PathBuf);

impl ServerHandler for Dumps {
    fn create_minidump_file(&self) -> io::Result<(File, PathBuf)> {
        let path = self.0.join("dump.dmp");
        Ok((File::create(&path)?, path))
    }

    fn on_minidump_created(&self, _dump: Result<MinidumpBinary, minidumper::Error>) -> LoopAction {
        LoopAction::Exit
    }

    fn on_message(&self, _kind: u32, _message: Vec<u8>) {}

    fn on_client_disconnected(&self, clients: usize) -> LoopAction {
        if clients == 0 { LoopAction::Exit } else { LoopAction::Continue }
    }
}
