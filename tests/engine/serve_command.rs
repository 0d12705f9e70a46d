//! The command `serve` of a program that is built without a server.

use hitl::cli::{self, Cli, Exit, Io};

use crate::kit::refund::Refunds;

/// No store is opened, and `--json` is understood at any place.
#[tokio::test]
async fn serve_without_its_feature_names_the_feature() {
    for options in [&["--listen", "127.0.0.1:0"][..], &["--help"], &["--listen", "127.0.0.1:0", "--json"]] {
        let (read, written) = std::io::pipe().unwrap();
        let (stdout, stderr) = (written.try_clone().unwrap(), written);
        let mut io = Io::process();
        io.stdout = Box::new(stdout);
        io.stderr = Box::new(stderr);
        io.stdin_is_terminal = false;
        let unopened = async { panic!("the agent is not needed") };
        let program = Cli::<Refunds>::open::<hitl::Error>(unopened).subcommand(cli::serve());
        let words = ["refund", "serve"].iter().chain(options).map(std::ffi::OsString::from);
        assert_eq!(program.run_on(words, false, io).await, Exit::Usage);
        let said = std::io::read_to_string(read).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("built without the feature `http` or `agentcore`"), "{said}");
        assert_eq!(said.starts_with('{'), options.contains(&"--json"), "{said}");
    }
}
