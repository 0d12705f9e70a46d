//! The command `serve` of a program that is built without a server.

use hitl::{
    cli::{self, Cli, Exit, Io},
    prelude::*,
};

use crate::refund_agent::RefundAgent;

#[tokio::test]
async fn serve_without_its_feature_names_the_feature() {
    let (read, written) = std::io::pipe().unwrap();
    let io = Io { stderr: Box::new(written), stdin_is_terminal: false, ..Io::process() };
    let program = Cli::new(RefundAgent::new(MemoryStore::new())).subcommand(cli::serve());
    let words = ["refund", "serve", "--listen", "127.0.0.1:0"].map(std::ffi::OsString::from);
    assert_eq!(program.run_on(words, false, io).await, Exit::Usage);
    let said = std::io::read_to_string(read).unwrap();
    assert!(said.contains("built without the feature `agentcore`"), "{said}");
}
