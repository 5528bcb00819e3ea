//! The example node in C. 1. it dies in each of its ways  2. the server has an issue for each, named by what happened.

use crate::fleet::Fleet;

#[test]
fn each_death_of_the_example_is_an_issue_that_says_what_happened() {
    let fleet = Fleet::new("c-node");
    let node = fleet.c_node("examples/c-node/node.c");
    fleet.die(&node, &["--die", "null", "--after-ms", "100"], 139);
    fleet.die(&node, &["--die", "exit", "--after-ms", "100"], 1);
    let fault = fleet.project.wait_for_issue("SIGSEGV: null pointer dereference at ", 1);
    let functions = fleet.project.events(&fault)[0].functions();
    assert!(functions.len() > 4 && functions.contains(&"worker_run".to_owned()), "{functions:?}");
    assert_eq!(fault.place, functions[0]);
    let exit = fleet.project.wait_for_issue("DatabaseError: cannot open the message store", 1);
    assert_eq!((fault.events, exit.events), (1, 1));
    fleet.sent(2);
}
