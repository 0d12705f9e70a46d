//! A check that `SECURITY.md` names only tests that exist.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

#[test]
fn each_control_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let words = text.split('`').skip(1).step_by(2);
    let mut named = 0;
    for word in words.filter(|word| word.contains(".rs")) {
        let (file, test) = word.split_once("::").unwrap_or((word, ""));
        let source = fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("`{word}`: {e}"));
        assert!(source.contains(&format!("fn {test}")) || test.is_empty(), "`{file}` has no test `{test}`");
        named += 1;
    }
    assert!(named > 30, "{named}");
}
