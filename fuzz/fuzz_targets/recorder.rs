//! A copy of a flight recorder that anybody may have damaged: reading it never panics and stays within its bounds.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use lifeboat_fuzz::{Image, Input, walk};

thread_local! {
    static IMAGE: RefCell<Image> = RefCell::default();
}

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::read(data) else { return };
    IMAGE.with_borrow_mut(|image| walk(image.apply(&input)));
});
