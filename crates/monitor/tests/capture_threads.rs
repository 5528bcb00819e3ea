//! A process with many threads is captured whole, and quickly, and goes on. 1. start a program with 64 waiting
//! threads  2. capture it  3. every thread has a name, registers and the stack that holds its own canary
//! 4. nobody is traced any more, and the program still answers.

#[cfg(test)]
mod common;

use std::time::Instant;

use lifeboat_monitor::capture::Thread;
use lifeboat_monitor::watch::{images, process, threads};

use common::Node;

const THREADS: usize = 64;
const CANARY: u64 = 0x11FE_B0A7_CA9A_12E5;

#[cfg(target_arch = "x86_64")]
fn stack_pointer(thread: &Thread) -> u64 {
    thread.registers.get(19).copied().unwrap_or(0)
}

#[test]
fn all_threads_are_captured_and_released() {
    let node = Node::start("threads.c", &["-O1", "-pthread"]);
    let pid = node.pid();
    let _warm = threads::capture(pid, None);
    let from = Instant::now();
    let (captured, notes) = threads::capture(pid, None);
    println!("{} threads captured in {:?}", captured.len(), from.elapsed());
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(captured.len(), THREADS + 1);
    for thread in &captured {
        assert_eq!(thread.registers.len(), 27, "{}", thread.name);
        assert_eq!(thread.stack_start, stack_pointer(thread) - 128);
        assert!(thread.stack.len() > 128 && thread.stack.len() <= 64 * 1024 + 128);
    }
    let workers: Vec<_> = captured.iter().filter(|thread| thread.name.starts_with("worker-")).collect();
    assert_eq!(workers.len(), THREADS);
    for worker in workers {
        let number: u64 = worker.name["worker-".len()..].parse().unwrap();
        let canary = (CANARY + number).to_le_bytes();
        assert!(worker.stack.windows(8).any(|word| word == canary), "{}", worker.name);
    }
    assert_eq!(node.tracer(), 0);
    assert!(node.answers());
}

#[test]
fn the_thread_in_its_handler_is_left_alone() {
    let node = Node::start("threads.c", &["-O1", "-pthread"]);
    let (captured, notes) = threads::capture(node.pid(), Some(node.pid()));
    assert_eq!(notes, Vec::<String>::new());
    let skipped = captured.iter().find(|thread| thread.tid == node.pid()).unwrap();
    assert!(skipped.registers.is_empty() && skipped.stack.is_empty());
    assert_eq!(skipped.name, "threads");
    assert_eq!(captured.len(), THREADS + 1);
}

#[test]
fn a_traced_process_says_who_traces_it() {
    let node = Node::start("threads.c", &["-O1", "-pthread"]);
    let (captured, notes) = node.while_traced(|| threads::capture(node.pid(), None));
    assert_eq!(captured.len(), THREADS + 1);
    assert!(notes[0].contains("traces it already"), "{notes:?}");
    let main = captured.iter().find(|thread| thread.tid == node.pid()).unwrap();
    assert_eq!((main.name.as_str(), main.registers.len()), ("threads", 0));
}

#[test]
fn nothing_to_capture_is_said() {
    let (captured, notes) = threads::capture(u32::MAX / 4, None);
    assert!(captured.is_empty());
    assert!(notes[0].contains("could not be listed"), "{notes:?}");
}

#[test]
fn build_ids_come_from_memory() {
    let node = Node::start("threads.c", &["-O1", "-pthread", "-Wl,--build-id=0x0123456789abcdef"]);
    let from = Instant::now();
    let images = images::images(node.pid(), &node.maps());
    println!("{} images in {:?}", images.len(), from.elapsed());
    assert_eq!(images[0].build_id, [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF]);
    assert!(images.len() >= 3, "the program, libc and the loader: {images:?}");
    assert!(images.iter().skip(1).all(|image| image.build_id.len() == 20));
}

#[test]
fn proc_tells_of_the_process() {
    let node = Node::start("threads.c", &["-O1", "-pthread"]);
    let process = process::process(node.pid());
    assert_eq!(process.program, node.program().display().to_string());
    assert_eq!(process.threads, THREADS as u64 + 1);
    assert!(process.resident_bytes > 100_000 && process.fds_max > 2);
}
