//! What strangers send to the endpoint, and the page of a node's own: heads are read within their bounds, samples are some.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat_monitor::serve::http::{self, Parsed};
use lifeboat_monitor::serve::scrape::exposition;

fuzz_target!(|data: &[u8]| {
    if let Parsed::Whole(request, length) = http::parse(data, |host| host != "evil") {
        assert!(length <= data.len() && request.path.starts_with('/') && !request.path.contains('?'));
        // What follows a head changes nothing of it.
        assert_eq!(http::parse(&data[..length], |_| true), Parsed::Whole(request, length));
    }
    let page = String::from_utf8_lossy(data);
    let mut count = 0;
    for sample in exposition::samples(&page) {
        count += 1;
        assert!(!sample.name.is_empty() && sample.name.len() <= 256 && sample.value.is_finite());
        assert!(sample.labels.len() <= 1024 && sample.label_names.len() <= 16);
    }
    assert!(count <= page.len());
});
